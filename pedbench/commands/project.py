"""`pedbench project`: which split is best for a device and a link."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pedbench.latency.devices import Device
    from pedbench.latency.offers import Offer, Setting
    from pedbench.offload.tiles import Bytes


def project(
    edge: Annotated[str, typer.Option(help="The device that has the picture; this-host measures.")],
    server: Annotated[str, typer.Option(help="What each server is; this-host measures.")],
    link: Annotated[str, typer.Option(help="The edge's link, which servers share.")],
    model: Annotated[str, typer.Option(help="vit_b, vit_l, vit_h or mini.")] = "vit_h",
    payload: Annotated[str, typer.Option(help="pixels or a codec for them; the fastest without it.")] = "",
    reply: Annotated[str, typer.Option(help="float32, float16 or a codec; the fastest without it.")] = "",
    slower: Annotated[
        float,
        typer.Option(help="How many times as long a named edge takes for a multiply-add of a global block."),
    ] = 1.0,
    picture: Annotated[
        Path | None, typer.Option(help="What is encoded; a synthetic scene without it.")
    ] = None,
) -> None:
    """Say which way of encoding a picture is best for a device and a link, and what each way shows.

    All times are projected from published figures of the devices, none is measured on them.
    """
    from pedbench.latency.advice import advise
    from pedbench.latency.offers import FORMS, Setting, offers
    from pedbench.links import find_link
    from pedbench.models.family import family

    of = family(model).original.architecture
    forms = list(dict.fromkeys((payload or up, reply or down) for up, down in FORMS))
    setting = Setting(
        of=of,
        edge=_device(edge, model, slower),
        server=_device(server, model, 1.0),
        link=find_link(link),
    )
    pixels = _frame(picture, of.image_size)
    found = offers(setting, pixels, forms=forms)
    _print_table(found, f"{model}, edge {edge}, servers {server}, link {link}: projected")
    print(advise(found))
    for line in _assumptions(setting, pixels, picture, forms):
        print(f"- {line}")


def _device(name: str, model: str, slower: float) -> Device:
    from pedbench.latency.devices import find_device
    from pedbench.latency.host import THIS_HOST

    return _this_host(model) if name == THIS_HOST else find_device(name, slower)


@cache
def _this_host(model: str) -> Device:
    from pedbench.latency.host import measure_host
    from pedbench.models.family import FamilyNetworks, family
    from pedbench.provenance import cores

    of = family(model)
    networks = FamilyNetworks(family=of, random_seed=0)
    return measure_host(of.fine_tuned.architecture, networks, threads=cores(), repeats=3)


def _frame(picture: Path | None, longest_side: int) -> Bytes:
    from pedbench.frame import to_frame
    from pedbench.offload.tiles import to_bytes
    from pedbench.pictures import read_picture
    from pedbench.registry import Registry

    if picture is not None:
        return to_bytes(to_frame(read_picture(picture, upright=True), longest_side))
    scenes = Registry().create("datasets", "scenes", {"split": "val", "count": 1})
    return to_bytes(to_frame(scenes[0].image, longest_side))


def _print_table(found: Sequence[Offer], title: str) -> None:
    import sys

    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    from pedbench.report.text import quantity

    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("defense", no_wrap=True)
    for header in ("servers", "payload", "reply"):
        table.add_column(header)
    for header in ("projected", "up", "down", "one server sees"):
        table.add_column(header, justify="right", no_wrap=True)
    for offer in found:
        sent = offer.traffic
        moved = (quantity(sent.bytes_up, "B"), quantity(sent.bytes_down, "B")) if sent.parts else ("", "")
        table.add_row(
            sent.defense,
            str(offer.servers),
            sent.payload,
            sent.reply,
            quantity(offer.seconds, "s"),
            *moved,
            f"{sent.share:.1%}" if sent.parts else "nothing",
        )
    # Files and pipes have no width of their own.
    Console(width=None if sys.stdout.isatty() else 120, markup=False, highlight=False).print(table)


def _assumptions(
    setting: Setting, pixels: Bytes, picture: Path | None, forms: Sequence[tuple[str, str]]
) -> list[str]:
    from pedbench.latency.compute import edge_share

    devices = [
        f"{role} {device.name} ({device.about}): {device.window_rate / 1e9:,.0f} GMAC/s in window blocks, "
        f"{device.global_rate / 1e9:,.0f} in global blocks and neck"
        for role, device in (("edge", setting.edge), ("server", setting.server))
    ]
    height, width = pixels.shape[:2]
    what = f"{picture}" if picture else "a synthetic scene, which codecs press further than a photograph"
    return [
        *devices,
        f"{edge_share(setting.of):.0%} of the encoder's multiply-adds stay on the edge under ped_sam",
        f"link {setting.link.name}, warm connections, the median of its jitter; frame of {width} x {height}: {what}",
        "writing and reading messages takes as long as here; gRPC, the mask decoder and copies to devices are left out",
        f"compared: {'; '.join(f'{up} up, {down} down' for up, down in forms)}; what lossy codecs cost masks is "
        "measured for mini alone, in docs/latency.md",
    ]
