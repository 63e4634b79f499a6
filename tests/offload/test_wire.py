import shutil
import subprocess
import sys
import tracemalloc
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from pedbench.base import Field, Operation
from pedbench.offload.wire import wire_pb2
from pedbench.offload.wire.messages import (
    MAX_ERROR_CHARACTERS,
    Answer,
    Call,
    WireError,
    decode_answer,
    decode_call,
    encode_answer,
    encode_call,
)
from pedbench.offload.wire.schema import check_call, check_payload

ARRAYS = st.sampled_from(["uint8", "int32", "float16", "float32"]).flatmap(
    lambda dtype: hnp.arrays(dtype, hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4))
)
PAYLOADS = st.dictionaries(st.text(max_size=5), ARRAYS, max_size=3)


def bits(payload: Any) -> dict[str, tuple[str, tuple[int, ...], bytes]]:
    return {name: (array.dtype.name, array.shape, array.tobytes()) for name, array in payload.items()}


@pytest.mark.slow
@given(
    payload=PAYLOADS,
    operation=st.text(max_size=5),
    arguments=st.dictionaries(st.text(max_size=3), st.text(max_size=3), max_size=3),
    request=st.integers(-(2**63), 2**63 - 1),
    sequence=st.integers(0, 99),
)
def test_calls_survive_the_wire(
    payload: Any, operation: str, arguments: Any, request: int, sequence: int
) -> None:
    call = Call(operation=operation, request=request, sequence=sequence, arguments=arguments, payload=payload)
    back = decode_call(encode_call(call))
    assert (back.operation, back.request, back.sequence) == (operation, request, sequence)
    assert back.arguments == arguments
    assert list(back.payload) == list(payload)
    assert bits(back.payload) == bits(payload)


@given(payload=PAYLOADS, error=st.text(max_size=5), time=st.floats(allow_nan=False, allow_infinity=False))
def test_answers_survive_the_wire(payload: Any, error: str, time: float) -> None:
    assume(all(np.isfinite(array).all() for array in payload.values()))
    answer = Answer(payload=payload, error=error, received=time, started=1.5, finished=2.5)
    back = decode_answer(encode_answer(answer), {}, "")
    assert bits(back.payload) == bits(payload)
    assert (back.error, back.received, back.started, back.finished) == (error, time, 1.5, 2.5)


CALL = Call(
    operation="o", request=1, sequence=2, arguments={"k": "v"}, payload={"x": np.arange(6, dtype=np.uint8)}
)
GOOD = encode_call(CALL)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(GOOD[:-1], id="cut"),
        pytest.param(b"\xff" * 20, id="garbage"),
        pytest.param(GOOD + b"\x7a\x03abc", id="unknown field at the end"),
        pytest.param(b"\x7a\x03abc" + GOOD, id="unknown field in front"),
        pytest.param(GOOD + b"\x7b\x7c", id="unknown group"),
        pytest.param(
            wire_pb2.Request(operation="hidden").SerializeToString() + GOOD, id="a field written twice"
        ),
        pytest.param(GOOD.replace(b"\x10\x01", b"\x10\x81\x00"), id="a number written long"),
    ],
)
def test_bytes_beyond_the_declared_content_are_refused(data: bytes) -> None:
    with pytest.raises(WireError):
        decode_call(data)


def test_an_unknown_field_inside_a_tensor_is_refused() -> None:
    message = wire_pb2.Request.FromString(GOOD)
    message.tensors[0].MergeFromString(b"\x7a\x03abc")
    with pytest.raises(WireError, match="explain"):
        decode_call(message.SerializeToString(deterministic=True))


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        ([{"name": "x", "dtype": "object", "shape": [1], "data": b"1"}], "'object'"),
        ([{"name": "x", "dtype": "uint8", "shape": [-1], "data": b"1"}], "do not make"),
        ([{"name": "x", "dtype": "uint8", "shape": [-1, -1], "data": b"1"}], "do not make"),
        ([{"name": "x", "dtype": "uint8", "shape": [2], "data": b"1"}], "do not make"),
        ([{"name": "x", "dtype": "float32", "shape": [2**40, 2**40], "data": b""}], "do not make"),
        ([{"name": "x", "dtype": "uint8", "shape": [1], "data": b"1"}] * 2, "twice"),
    ],
)
def test_impossible_tensors_are_refused(tensors: list[dict[str, Any]], message: str) -> None:
    data = wire_pb2.Request(tensors=[wire_pb2.Tensor(**tensor) for tensor in tensors]).SerializeToString()
    with pytest.raises(WireError, match=message):
        decode_call(data)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"*\x00" * 2**20, id="a million tensors"),
        pytest.param(b'"\x00' * 2**20, id="a million arguments"),
        pytest.param(b"*\x83\x80\x40\x1a\xff\xff\x3f" + b"\x7f" * (2**20 - 1), id="a million dimensions"),
        pytest.param(b"*\x16\x12\x05uint8\x1a\x0d" + b"\x01" * 13, id="13 dimensions"),
        pytest.param(b"\x0a\x80\x80\x40" + b"x" * 2**20, id="a name of a megabyte"),
        pytest.param(b"\x0b\x0c" * 2**10, id="groups"),
        pytest.param(b"\xff" * 11, id="a number without end"),
    ],
)
def test_bytes_that_would_fill_the_memory_are_refused(data: bytes) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(WireError) as call:
            decode_call(data)
        # The same bytes in the field of a reply's tensors.
        with pytest.raises(WireError) as answer:
            decode_answer(data.replace(b"*", b"\x0a"), {}, "")
        assert max(len(str(call.value)), len(str(answer.value))) < 1000
        assert tracemalloc.get_traced_memory()[1] < 8 * len(data) + 2**20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("codec", "shape", "data"),
    [
        ("png", [2**31, 2**31, 3], b"\x00" * 40),
        ("png", [], b"\x00"),
        ("png", [4, 4], b"\x00" * 40),
        ("png", [0, 0, 0, 0], b""),
        ("quantised(bits=8)", [2**40], b""),
        ("quantised(bits=2)", [2**25, 4], b"\x00" * (16 + 2**25)),
        ("bfloat16", [], b"\x00"),
        ("x" * 10_000, [1], b"\x00"),
        ("png()" + "#" * 10_000, [1], b"\x00"),
        ("../../png", [1], b"\x00"),
    ],
)
def test_bytes_that_no_codec_wrote_are_refused(codec: str, shape: list[int], data: bytes) -> None:
    dtype = "uint8" if codec.startswith("png") else "float32"
    tensor = wire_pb2.Tensor(name="x", dtype=dtype, shape=shape, data=data, codec=codec)
    with pytest.raises(WireError, match=r"tensor 'x'|bytes"):
        decode_call(wire_pb2.Request(tensors=[tensor]).SerializeToString(deterministic=True))


def test_a_long_error_is_cut() -> None:
    answer = Answer(payload={}, error="é" * 10_000, received=1.0, started=1.0, finished=1.0)
    assert decode_answer(encode_answer(answer), {}, "").error == "é" * MAX_ERROR_CHARACTERS


def test_unknown_dtypes_are_not_sent() -> None:
    with pytest.raises(WireError, match="float64"):
        encode_call(Call(operation="o", request=0, sequence=0, payload={"x": np.zeros(1)}))


class Sum(Operation):
    name = "sum"
    request: ClassVar = {
        "a": Field(dtypes=("uint8", "float32"), shape=("n", 2)),
        "b": Field(dtypes=("int32",), shape=("n",)),
    }
    reply: ClassVar = {}
    arguments: ClassVar = {"mode": ("fast", "exact")}

    def run(self, payload: Any, arguments: Any, networks: Any) -> Any:
        return {}


A: Any
B: Any
A, B = np.zeros((3, 2), np.uint8), np.zeros(3, np.int32)


@pytest.mark.parametrize(
    ("payload", "arguments", "message"),
    [
        ({"a": A, "b": B}, {"mode": "slow"}, "'slow'"),
        ({"a": A, "b": B}, {}, "arguments"),
        ({"a": A, "b": B}, {"mode": "fast", "x": "y"}, "arguments"),
        ({"a": A}, {"mode": "fast"}, "arrays"),
        ({"a": A, "b": B, "c": B}, {"mode": "fast"}, "arrays"),
        ({"b": B, "a": A}, {"mode": "fast"}, "order"),
        ({"a": A.astype(np.float16), "b": B}, {"mode": "fast"}, "float16"),
        ({"a": A[:2], "b": B}, {"mode": "fast"}, "n=2"),
        ({"a": A[:, :1], "b": B}, {"mode": "fast"}, "shape"),
        ({"a": A[..., None], "b": B}, {"mode": "fast"}, "shape"),
    ],
)
def test_calls_must_match_the_schema(payload: Any, arguments: Any, message: str) -> None:
    good = {"a": A, "b": B}
    check_call(Call(operation="sum", request=0, sequence=0, arguments={"mode": "fast"}, payload=good), Sum())
    with pytest.raises(WireError, match=message):
        check_call(Call(operation="sum", request=0, sequence=0, arguments=arguments, payload=payload), Sum())


def test_reply_must_match_the_schema() -> None:
    nothing: Any = None
    with pytest.raises(WireError, match="the reply of sum is a NoneType: return a dict of NumPy arrays"):
        check_payload(nothing, {}, "reply of sum")
    with pytest.raises(WireError, match="reply"):
        check_payload({"x": A}, {"x": Field(dtypes=("uint8",), shape=(3, 3))}, "reply of sum")


def test_generated_code_is_that_of_the_schema(tmp_path: Path) -> None:
    protoc = pytest.importorskip("grpc_tools.protoc")
    assert protoc is not None
    source = Path(wire_pb2.__file__)
    (tmp_path / "pedbench/offload/wire").mkdir(parents=True)
    shutil.copy(source.with_name("wire.proto"), tmp_path / "pedbench/offload/wire")
    command = [sys.executable, "-m", "grpc_tools.protoc", "-I.", "--python_out=.", "--pyi_out=."]
    subprocess.run([*command, "pedbench/offload/wire/wire.proto"], cwd=tmp_path, check=True)
    generated = (tmp_path / "pedbench/offload/wire/wire_pb2.py").read_text()
    # Different releases of the compiler write different headers.
    assert (
        generated.split("@@protoc_insertion_point(imports)")[1]
        == source.read_text().split("@@protoc_insertion_point(imports)")[1]
    )
    assert (tmp_path / "pedbench/offload/wire/wire_pb2.pyi").read_text() == source.with_suffix(
        ".pyi"
    ).read_text()
