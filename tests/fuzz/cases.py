"""Cases for a reader of foreign bytes: what it reads well, spoilt in a few places, and bytes of any kind."""

from __future__ import annotations

from hypothesis import strategies as st

from tests.fuzz.targets import Target

_KINDS = ("replace", "insert", "remove", "repeat", "swap", "cut")


@st.composite
def spoilt(draw: st.DrawFn, target: Target) -> bytes:
    """Bytes for a reader."""
    if draw(st.integers(0, 19)) == 0:
        return draw(st.binary(max_size=400))
    data = draw(st.sampled_from(target.seeds))
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, len(data)))
        length = draw(st.integers(0, 12))
        word = draw(st.sampled_from(target.words) | st.binary(min_size=1, max_size=4))
        match draw(st.sampled_from(_KINDS)):
            case "replace":
                data = data[:place] + word + data[place + length :]
            case "insert":
                data = data[:place] + word + data[place:]
            case "remove":
                data = data[:place] + data[place + length :]
            case "repeat":
                data = data[:place] + data[place : place + 20 * length] * 2 + data[place + 20 * length :]
            case "swap":
                other = draw(st.integers(0, len(data)))
                data = data[:place] + data[other : other + length] + data[place + length :]
            case _:
                data = data[:place]
    return data
