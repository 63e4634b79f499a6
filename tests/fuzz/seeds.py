"""Bytes that readers of foreign bytes read well, and words that turn them into what should be refused."""

from __future__ import annotations

import json

import numpy as np
from pycocotools import mask as coco_mask

from pedbench.offload.wire.codec_labels import Coded, code
from pedbench.offload.wire.messages import Answer, Call, encode_answer, encode_call


def requests() -> tuple[bytes, ...]:
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


def replies() -> tuple[bytes, ...]:
    tokens = np.linspace(-1, 1, 2 * 4 * 4 * 6, dtype=np.float32).reshape(2, 4, 4, 6)
    coded: list[dict[str, Coded]] = [
        {"tokens": code(tokens, label)} for label in ("quantised(bits=8)", "bfloat16")
    ]
    times = {"received": 1.0, "started": 2.0, "finished": 3.0}
    return (
        encode_answer(Answer(payload={"tokens": tokens}, coded={}, error="", **times)),
        encode_answer(Answer(payload={}, coded={}, error="ValueError: no", **times)),
        *(encode_answer(Answer(payload={}, coded=arrays, error="", **times)) for arrays in coded),
    )


def instances() -> tuple[bytes, ...]:
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


TEXT_WORDS = (
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

MESSAGE_WORDS = (
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
