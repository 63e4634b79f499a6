"""The readers of foreign bytes: what each must make of any bytes at all, and bytes to begin with."""

from __future__ import annotations

import contextlib
import json
import signal
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import FrameType

import numpy as np
from PIL import Image
from pycocotools import mask as coco_mask

from pedbench.base import Operation
from pedbench.data.coco import CocoFolder
from pedbench.errors import DatasetError
from pedbench.offload.operations.builtin import load_operations
from pedbench.offload.wire.codec_labels import Coded, code
from pedbench.offload.wire.messages import (
    Answer,
    Call,
    WireError,
    decode_answer,
    decode_call,
    encode_answer,
    encode_call,
)
from pedbench.offload.wire.schema import check_call
from pedbench.suites.files import FOLDER, SuiteError, load_suite, to_toml

SECONDS = 10.0
"""A case that takes longer hangs."""

_LONGEST_SENTENCES = 10_000


class Hang(Exception):
    """A case that takes too long."""


@dataclass(frozen=True, kw_only=True)
class Target:
    """A reader.

    Attributes:
        seeds: What it reads well.
        words: What turns what it reads well into what it should refuse.
        read: Reads bytes; whatever it raises is a fault of the reader.
    """

    name: str
    seeds: tuple[bytes, ...]
    words: tuple[bytes, ...]
    read: Callable[[bytes], None]

    def hold(self, data: bytes) -> None:
        """Read bytes within the time that a case may take."""
        with _limit(SECONDS):
            self.read(data)


@contextlib.contextmanager
def _limit(seconds: float) -> Iterator[None]:
    def stop(number: int, frame: FrameType | None) -> None:
        raise Hang(f"longer than {seconds} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@cache
def _operations() -> dict[str, Operation]:
    return load_operations()


@cache
def _folder() -> Path:
    """A folder that is there as long as the process, with a picture."""
    keep = tempfile.TemporaryDirectory(prefix="pedbench-fuzz-")
    _KEPT.append(keep)
    Image.new("RGB", (30, 20), "red").save(Path(keep.name) / "a.png")
    return Path(keep.name)


_KEPT: list[tempfile.TemporaryDirectory[str]] = []


def _read_request(data: bytes) -> None:
    try:
        call = decode_call(data)
        check_call(call, _operations()["encode_windows"])
    except WireError as error:
        _check_sentence(error)
        return
    if not call.codecs:
        assert encode_call(call) == data


def _read_reply(data: bytes) -> None:
    declared = _operations()["encode_windows"].reply
    for codec in ("", "quantised(bits=8)", "bfloat16"):
        try:
            answer = decode_answer(data, declared, codec)
        except WireError as error:
            _check_sentence(error)
        else:
            assert all(np.isfinite(array).all() for array in answer.payload.values())


def _read_instances(data: bytes) -> None:
    file = _folder() / "instances.json"
    file.write_bytes(data)
    try:
        folder = CocoFolder(_folder(), file)
        ids = folder.ids[:3]
    except DatasetError as error:
        _check_sentence(error, file)
        return
    for id in ids:
        assert all(instance.mask.shape == (20, 30) for instance in folder.sample(id).instances)


def _read_suite(data: bytes) -> None:
    file = _folder() / "suite.toml"
    file.write_bytes(data)
    try:
        suite = load_suite(str(file))
    except SuiteError as error:
        _check_sentence(error, file)
        return
    file.write_text(to_toml(suite), encoding="utf-8")
    assert load_suite(str(file)) == suite


def _check_sentence(error: Exception, file: Path | None = None) -> None:
    assert file is None or str(file) in str(error)
    assert len(str(error)) < _LONGEST_SENTENCES


def _requests() -> tuple[bytes, ...]:
    pixels = np.arange(2 * 8 * 8 * 3, dtype=np.uint8).reshape(2, 8, 8, 3)
    places = {"positions": np.array([[0, 0], [0, 1]], np.int32), "frame": np.array([8, 16], np.int32)}
    arguments = {"weights": "original", "reply": "float32"}
    calls = [
        Call(
            operation="encode_windows",
            request=0,
            sequence=number,
            arguments=arguments,
            payload={"pixels": pixels, **places},
            codecs=codecs,
            reply=reply,
        )
        for number, (codecs, reply) in enumerate(
            [({}, ""), ({"pixels": "png"}, "bfloat16"), ({"pixels": "jpeg(quality=90)"}, "quantised(bits=4)")]
        )
    ]
    return tuple(map(encode_call, calls))


def _replies() -> tuple[bytes, ...]:
    tokens = np.linspace(-1, 1, 2 * 4 * 4 * 6, dtype=np.float32).reshape(2, 4, 4, 6)
    coded: list[dict[str, Coded]] = [
        {"tokens": code(tokens, label)} for label in ("quantised(bits=8)", "bfloat16")
    ]
    times = {"received": 1.0, "started": 2.0, "finished": 3.0}
    return (
        encode_answer(Answer(payload={"tokens": tokens}, error="", **times)),
        encode_answer(Answer(payload={}, error="ValueError: no", **times)),
        *(encode_answer(Answer(payload={}, error="", **times), arrays) for arrays in coded),
    )


def _instances() -> tuple[bytes, ...]:
    mask = np.zeros((20, 30), np.uint8)
    mask[5:9, 3:20] = 1
    runs = coco_mask.encode(np.asfortranarray(mask))["counts"].decode()
    kinds = [
        [[5, 5, 15, 5, 15, 15, 5, 15]],
        {"size": [20, 30], "counts": runs},
        {"size": [20, 30], "counts": [1, 2, 597]},
    ]
    annotations = [
        {"id": number, "image_id": 1, "category_id": 7, "segmentation": kind, "area": 9.5, "iscrowd": 0}
        for number, kind in enumerate(kinds)
    ]
    secret = {"image_id": 1, "kind": "text", "content": "word", "bbox": [1, 2, 3.5, 4]}
    data = {
        "images": [{"id": 1, "file_name": "a.png", "height": 20, "width": 30}],
        "annotations": annotations,
        "categories": [{"id": 7, "name": "box"}],
        "secrets": [secret],
    }
    turned = dict(reversed(data.items()))
    return json.dumps(data).encode(), json.dumps(turned, indent=1).encode()


_TEXT = (
    b'"',
    b"[" * 3000,
    b"]",
    b"{",
    b"}",
    b",",
    b"=",
    b".",
    b"a." * 150,
    b"-1",
    b"1e999",
    b"nan",
    b"inf",
    b"NaN",
    b"-Infinity",
    b"9" * 5000,
    b"0x" + b"f" * 5000,
    b"9223372036854775808",
    b"1.5",
    b"true",
    b"null",
    b"[]",
    b"{}",
    b'""',
    b'"1"',
    b'"\\ud800"',
    b'"\\u0000"',
    b'"../../etc/passwd"',
    b'"<script>alert(1)</script>"',
    b"\x1b[31m",
    b"\xff\xfe",
    b"\xef\xbb\xbf",
    b"\x00",
    b"# ",
    b"\n",
    b'"""',
    b"o" * 40,
)

_NUMBERS = (
    b"\x00",
    b"\x7f",
    b"\x80",
    b"\xff" * 9 + b"\x01",
    b"\xff" * 10,
    b"\x80\x80\x80\x80\x08",
    b"*\x00" * 200,
    b'"\x00' * 200,
    b"\x0b",
    b"\x0c",
    b"\x1a\x02\xff\x7f",
    b"\x1a\x7f" + b"\x7f" * 127,
    b"\x00\x00\x80\x7f",
    b"\x00\x00\xc0\x7f",
    b"png",
    b"jpeg(quality=90)",
    b"webp",
    b"quantised(bits=2)",
    b"object",
    b"float16",
    b"int32",
)

TARGETS = {
    target.name: target
    for target in (
        Target(name="request", seeds=_requests(), words=_NUMBERS, read=_read_request),
        Target(name="reply", seeds=_replies(), words=_NUMBERS, read=_read_reply),
        Target(name="instances", seeds=_instances(), words=_TEXT, read=_read_instances),
        Target(
            name="suite",
            seeds=tuple(path.read_bytes() for path in sorted(FOLDER.glob("*.toml"))),
            words=_TEXT,
            read=_read_suite,
        ),
    )
}
