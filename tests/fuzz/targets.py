"""The readers of foreign bytes: what each must make of any bytes at all."""

from __future__ import annotations

import contextlib
import signal
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import FrameType

import numpy as np
from PIL import Image

from pedbench.base import Operation
from pedbench.data.coco import CocoFolder
from pedbench.errors import DatasetError
from pedbench.offload.operations.builtin import load_operations
from pedbench.offload.wire.messages import WireError, decode_answer, decode_call, encode_call
from pedbench.offload.wire.schema import check_call
from pedbench.offload.wire.tensors import decode_tensor
from pedbench.suites.files import FOLDER, SuiteError, load_suite, to_toml
from tests.fuzz.seeds import MESSAGE_WORDS, TEXT_WORDS, instances, replies, requests

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
            for name, coded in decode_answer(data, declared, codec, arrays=False).coded.items():
                found = decode_tensor(name, coded, declared[name])
                assert np.array_equal(found.numpy(), answer.payload[name])


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


TARGETS = {
    target.name: target
    for target in (
        Target(name="request", seeds=requests(), words=MESSAGE_WORDS, read=_read_request),
        Target(name="reply", seeds=replies(), words=MESSAGE_WORDS, read=_read_reply),
        Target(name="instances", seeds=instances(), words=TEXT_WORDS, read=_read_instances),
        Target(
            name="suite",
            seeds=tuple(path.read_bytes() for path in sorted(FOLDER.glob("*.toml"))),
            words=TEXT_WORDS,
            read=_read_suite,
        ),
    )
}
