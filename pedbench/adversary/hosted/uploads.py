"""The picture and the mask of a view that a service gets, and the way back into the frame."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image

from pedbench.inversion.resizing import hidden_part
from pedbench.pictures.files import PictureError, decode_picture
from pedbench.pictures.frame import Size, from_uint8, to_uint8
from pedbench.types import Mask, Picture, View


@dataclass(frozen=True, kw_only=True)
class Upload:
    """A picture with a part to be painted, of the size that a service takes.

    Attributes:
        picture: (h, w, 3) uint8. Hidden pixels have the colour of the nearest visible ones.
        hidden: (h, w) bool, what is to be painted: all that is not entirely visible, and what lies beyond the frame.
        inner: Height and width of the frame in it, from the upper left corner on.
    """

    picture: npt.NDArray[np.uint8]
    hidden: Mask
    inner: Size


def paintable(view: View) -> bool:
    """Return whether a view shows some of the frame and leaves some of it to paint."""
    _, seen = view.canvas()
    return bool(seen.any() and not seen.all())


def make_upload(view: View, size: Size) -> Upload:
    """Return what is uploaded of a view: it depends on the view's canvas alone.

    Args:
        view: One that is `paintable`.
        size: Height and width that the service takes; the frame keeps its proportions.
    """
    # scipy is no part of the small install.
    from pedbench.inversion.read_out import fill_with_nearest

    _, seen = view.canvas()
    scale = min(size[0] / seen.shape[0], size[1] / seen.shape[1])
    height, width = (max(1, int(side * scale + 0.5)) for side in seen.shape)
    frame = Image.fromarray(to_uint8(fill_with_nearest(view)))
    resized = np.asarray(frame.resize((width, height), Image.Resampling.BICUBIC))
    margins = ((0, size[0] - height), (0, size[1] - width))
    return Upload(
        picture=np.pad(resized, (*margins, (0, 0)), mode="edge"),
        hidden=np.pad(hidden_part(torch.from_numpy(seen), (height, width)), margins, constant_values=True),
        inner=(height, width),
    )


def paste_reply(reply: bytes, upload: Upload, view: View) -> Picture:
    """Return a service's picture in the frame, the visible pixels pasted over it.

    Returns:
        (H, W, 3) float32 in [0, 1].

    Raises:
        ValueError: The reply is no picture.
    """
    try:
        painted = to_uint8(decode_picture(io.BytesIO(reply), "the reply"))
    except PictureError as error:
        raise ValueError(f"expected a picture: {error}") from error
    height, width = upload.hidden.shape
    whole = Image.fromarray(painted).resize((width, height), Image.Resampling.BICUBIC)
    frame = whole.crop((0, 0, upload.inner[1], upload.inner[0]))
    frame = frame.resize((view.frame_size[1], view.frame_size[0]), Image.Resampling.BICUBIC)
    canvas, seen = view.canvas()
    return np.where(seen[..., None], canvas, from_uint8(np.asarray(frame)))


def png(array: npt.NDArray[Any]) -> bytes:
    """Encode (h, w), (h, w, 3) or (h, w, 4) uint8 as PNG."""
    stream = io.BytesIO()
    Image.fromarray(array).save(stream, "PNG")
    return stream.getvalue()
