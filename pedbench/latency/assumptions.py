"""What projected times assume, as sentences."""

from __future__ import annotations

from collections.abc import Iterator

from pedbench.latency.devices import THIS_HOST
from pedbench.latency.projected_passes import Projection, Role

_EDGE = "making messages, reading replies, its blocks, the mask decoder"
_SERVER = "reading messages, computing, writing replies"


def assumptions(projection: Projection) -> Iterator[str]:
    """A sentence for each."""
    model = projection.model
    yield (
        f"this host's encoder of {model} took {_time(projection.host_seconds)}: measured in this run, the "
        "median of on_device's edge blocks, turn-taking"
    )
    for name, role, work in (("edge", projection.edge, _EDGE), ("server", projection.server, _SERVER)):
        yield _taken_for(name, role, work, model)
    yield "gRPC's and this host's own time for moving messages stays as measured here"
    named = {role.device: role for role in (projection.edge, projection.server) if role.device != THIS_HOST}
    strange = [f"{role.device} ({_sizes(role)})" for role in named.values() if model not in role.published]
    if strange:
        yield (
            f"EXTRAPOLATED: no time of {model} itself was published, only of other networks, for "
            f"{' and '.join(strange)}. Small networks leave a device idle, so that it may well take longer"
        )


def _taken_for(name: str, role: Role, work: str, model: str) -> str:
    if role.device == THIS_HOST:
        return f"{name}: this host, times as measured"
    times = " and ".join(f"{each} {time:,g} ms" for each, time in role.published.items())
    what = "the difference of " if len(role.published) > 1 else ""
    return (
        f"{name}: {role.device} ({role.about}); its encoder of {model} takes {_time(role.seconds)}, calculated by "
        f"multiply-adds from {what}published {times}; that is {role.factor:.3g} times as long as here, and so is all "
        f"else that it does: {work}"
    )


def _sizes(role: Role) -> str:
    sizes = {name: f"{size:,.0f}" if size >= 2 else f"{size:.2g}" for name, size in role.sizes.items()}
    return " and ".join(f"{name}, {size} times as large" for name, size in sizes.items())


def _time(seconds: float) -> str:
    return f"{seconds:.3g} s" if seconds >= 1 else f"{seconds * 1e3:.3g} ms"
