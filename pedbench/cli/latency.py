"""`pedbench latency`: is it faster to compute on the device, or with servers?"""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

Names = list[str] | None


def compare_latency(
    context: typer.Context,
    suite: Annotated[
        str, typer.Option(help="Whose pictures, model and [latency] are taken: a name or a path.")
    ] = "mini",
    servers: Annotated[
        str | None,
        typer.Option(help="HOST:PORT,HOST:PORT,...: servers on other machines, see `pedbench serve`."),
    ] = None,
    keys: Annotated[
        Path | None, typer.Option(help="The edge's folder of `pedbench keys`: TLS with the servers.")
    ] = None,
    edge_device: Annotated[
        str, typer.Option(help="Device that the edge is projected to, or this-host.")
    ] = "jetson-orin-nano",
    server_device: Annotated[str, typer.Option(help="The same for each server.")] = "rtx-3090",
    model: Annotated[
        str | None,
        typer.Option(help="mini, vit_b, vit_l or vit_h; the suite's without it."),
    ] = None,
    original: Annotated[Path | None, typer.Option(help="Checkpoint of the original network.")] = None,
    fine_tuned: Annotated[
        Path | None, typer.Option("--fine-tuned", help="Checkpoint of the network in PED order.")
    ] = None,
    random_weights: Annotated[
        bool, typer.Option("--random-weights", help="Random weights: enough to time a network.")
    ] = False,
    defense: Annotated[
        Names, typer.Option(help="Only this defense; may be repeated. Others than the usual ones join.")
    ] = None,
    sweep: Annotated[
        Names, typer.Option(help="DEFENSE.PARAMETER=VALUE,VALUE,...: one row per value.")
    ] = None,
    link: Annotated[
        Names,
        typer.Option(help="Link for wall times between processes of this host; repeatable."),
    ] = None,
    samples: Annotated[int | None, typer.Option(min=1, help="Pictures, each a sample.")] = None,
    warmup: Annotated[int | None, typer.Option(min=0, help="Pictures before them.")] = None,
    dataset: Annotated[str | None, typer.Option(help="Another dataset.")] = None,
    data: Annotated[Path | None, typer.Option(help="Where the dataset lies.")] = None,
    device: Annotated[str, typer.Option(help="Of the edge: cpu, cuda, mps, or auto.")] = "auto",
    dtype: Annotated[str, typer.Option(help="Of the encoder: float32, float16 or bfloat16.")] = "float32",
    deadline: Annotated[
        float, typer.Option(min=0.001, help="Seconds that a server may take to reply.")
    ] = 300.0,
    plugin: Annotated[list[Path] | None, typer.Option(help="A file or folder with further plugins.")] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder for tables and figures; reports/latency/UTC without it.")
    ] = None,
) -> None:
    """Compare computing on the device with offloading: full_offload, and ped_sam at several numbers of servers.

    Without --servers, the servers are processes of this host, links are emulated, and times are projected to named
    devices, too. The exit status is 1 when something could not be measured.
    """
    _refuse_unused(context, remote=servers is not None)
    from pedbench.network.addresses import refuse_plain
    from pedbench.network.certificates import read_identity

    addresses = [address.strip() for address in servers.split(",")] if servers is not None else []
    for address in addresses:
        refuse_plain(address, "--servers", keys)
    if keys and not addresses:
        raise ValueError("--keys is for --servers; between processes of this host there is no TLS.")
    identity = read_identity(keys, "edge") if keys else None
    from pedbench.host.console import Console
    from pedbench.registry import Registry
    from pedbench.suites.resolve import Overrides
    from pedbench.suites.schema import load_suite

    loaded = load_suite(suite)
    registry = Registry([path.expanduser().resolve() for path in plugin or ()])
    # They bring torch along, which takes seconds to import: wrong input is told of before.
    from pedbench.host.device import choose_device, choose_dtype
    from pedbench.latency.projected_passes import Devices
    from pedbench.latency.report import show, write_timings
    from pedbench.latency.session import Wishes, open_session
    from pedbench.models.sam.random_weights import choose_family

    overrides = Overrides(
        defenses=defense or (), sweeps=sweep or (), dataset=dataset, data=data, limit=samples, model=model
    )
    wishes = Wishes(
        overrides=overrides,
        family=choose_family(
            model or loaded.model, original=original, fine_tuned=fine_tuned, random=random_weights
        ),
        random=random_weights,
        links=tuple(link or ()),
        warmup=warmup,
        device=choose_device(device),
        dtype=choose_dtype(dtype),
        devices=Devices(edge=edge_device, server=server_device),
        deadline=deadline,
        addresses=tuple(addresses),
        identity=identity,
    )
    console = Console()
    folder = out or Path("reports") / "latency" / datetime.now(UTC).strftime("%Y-%m-%dT%H-%M-%SZ")
    with open_session(loaded, wishes, registry, console) as session:
        facts = session.facts
        for timings in session.measure(console):
            # What is measured stays if the next row, which may take minutes, never ends.
            write_timings(timings, facts, folder, finished=False)
    summary = write_timings(timings, facts, folder)
    show(summary, timings, facts)
    console.line(f"Tables, figures and samples: {folder}")
    if timings.problems:
        sys.exit(1)


def _refuse_unused(context: typer.Context, *, remote: bool) -> None:
    """Refuse options that servers on other machines have no use for."""
    names = ("link", "edge_device", "server_device") if remote else ()
    sources = {name: context.get_parameter_source(name) for name in names}
    unused = [name for name, source in sources.items() if source and source.name == "COMMANDLINE"]
    if unused:
        options = ", ".join(f"--{name.replace('_', '-')}" for name in unused)
        raise ValueError(f"{options}: with --servers the network and the machines themselves are measured.")
