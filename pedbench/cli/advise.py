"""What `pedbench latency --advise` says: every way ranked, one sentence, and what was assumed."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from pedbench.host.provenance import cores
from pedbench.latency.advice.options import FORMS, Offer, Setting, offers
from pedbench.latency.advice.recommend import advise
from pedbench.latency.advice.this_host import measure_host
from pedbench.latency.devices import THIS_HOST, Device, find_device
from pedbench.latency.multiply_adds import edge_share
from pedbench.latency.tables import described
from pedbench.models.sam.family import FamilyNetworks, family
from pedbench.network.links import find_link
from pedbench.offload.operations.tiles import Bytes, to_bytes
from pedbench.pictures.files import read_picture
from pedbench.pictures.frame import to_frame
from pedbench.registry import Registry
from pedbench.report.words.text import quantity


def print_advice(
    *,
    model: str,
    edge: str,
    server: str,
    links: Sequence[str],
    payload: str,
    reply: str,
    slower: float,
    picture: Path | None,
) -> None:
    """Say which way of encoding a picture is best for two devices and each link, and what each way shows.

    All times are projected from published figures of the devices. `this-host` alone is measured.

    Args:
        model: Name of the model family.
        edge: Name of the device that has the picture.
        server: What each server is.
        links: Names of links.
        payload: `pixels` or a codec for them; "" for the fastest.
        reply: `float32`, `float16` or a codec; "" for the fastest.
        slower: How many times as long a named edge takes for a multiply-add of a global block.
        picture: What is encoded; None for a synthetic scene.

    Raises:
        ValueError: A name is unknown.
    """
    of = family(model).original.architecture
    forms = list(dict.fromkeys((payload or up, reply or down) for up, down in FORMS))
    here, there = _device(edge, model, slower), _device(server, model, 1.0)
    settings = [Setting(of=of, edge=here, server=there, link=find_link(link)) for link in links]
    pixels = _frame(picture, of.image_size)
    for setting in settings:
        found = offers(setting, pixels, forms=forms)
        print(f"Projected: {model}, edge {edge}, servers {server}, {described(setting.link.name)}\n")
        _print_table(found)
        print(f"{advise(found)}\n")
    print("Times are projected: nothing was measured on these devices. What is assumed:")
    for line in _assumptions(settings[0], pixels, picture, forms):
        print(f"- {line}")


def _device(name: str, model: str, slower: float) -> Device:
    return _this_host(model) if name == THIS_HOST else find_device(name, slower)


@cache
def _this_host(model: str) -> Device:
    of = family(model)
    networks = FamilyNetworks(family=of, random_seed=0)
    return measure_host(of.fine_tuned.architecture, networks, threads=cores(), repeats=3)


def _frame(picture: Path | None, longest_side: int) -> Bytes:
    if picture is not None:
        return to_bytes(to_frame(read_picture(picture, upright=True), longest_side))
    scenes = Registry().create("datasets", "scenes", {"split": "val", "count": 1})
    return to_bytes(to_frame(scenes[0].image, longest_side))


def _print_table(found: Sequence[Offer]) -> None:
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("defense", no_wrap=True)
    for header in ("servers", "payload", "reply"):
        table.add_column(header)
    for header in ("projected time", "up", "down", "one server sees"):
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
        "measured for mini alone, in docs/guide/latency.md",
    ]
