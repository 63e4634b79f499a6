"""`pedbench run`: measure a suite."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from pedbench.engines.jobs import Engine

Names = list[str] | None


def named_files(given: Sequence[str]) -> dict[str, str]:
    """What `--weights NAME=FILE` names.

    Raises:
        ValueError: Something else was given.
    """
    pairs = [each.partition("=") for each in given]
    for each, (name, equals, file) in zip(given, pairs, strict=True):
        if not (name and equals and file):
            raise ValueError(f"--weights expects NAME=FILE, found {each!r}.")
    return {name: file for name, _, file in pairs}


def _engine(
    name: str,
    device: str,
    address: str | None,
    workers: int | None,
    cores: int,
    memory: float | None,
    gpus: float | None,
) -> Engine | None:
    if name == "ray":
        from pedbench.engines.ray import Ray

        return Ray(address=address, workers=workers, cores=cores, memory=memory, device=device, gpus=gpus)
    if name != "local":
        raise ValueError(f"--engine is local or ray, found {name!r}.")
    if (address, workers, cores, memory, gpus) != (None, None, 1, None, None):
        raise ValueError("--address, --workers and --worker-... belong to --engine ray.")
    return None


def run_suite(
    suite: Annotated[str | None, typer.Argument(help="A suite's name or the path of a suite file.")] = None,
    named: Annotated[str | None, typer.Option("--suite", help="The same as the argument.")] = None,
    defense: Annotated[Names, typer.Option(help="Run this defense only; may be repeated.")] = None,
    attack: Annotated[Names, typer.Option(help="Run this attack only; may be repeated.")] = None,
    sweep: Annotated[
        Names, typer.Option(help="DEFENSE.PARAMETER=VALUE,VALUE,...: one run per value.")
    ] = None,
    dataset: Annotated[str | None, typer.Option(help="Another dataset.")] = None,
    data: Annotated[Path | None, typer.Option(help="Where the dataset lies.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Only the first pictures.")] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Another base seed.")] = None,
    model: Annotated[
        str | None, typer.Option(help="Another model family, or a folder with a SAM of transformers.")
    ] = None,
    weights: Annotated[
        Names,
        typer.Option(help="NAME=FILE: weights of the family, such as fine-tuned=ped.pth; may be repeated."),
    ] = None,
    settings: Annotated[
        Names,
        typer.Option("--set", help="NAME.PARAMETER=VALUE of the suite's plugins of a name; may be repeated."),
    ] = None,
    plugin: Annotated[list[Path] | None, typer.Option(help="A file or folder with further plugins.")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Only the suite's part for a quick look.")] = False,
    out: Annotated[Path, typer.Option(help="Folder that holds the runs.")] = Path("reports"),
    fresh: Annotated[bool, typer.Option("--fresh", help="Start anew instead of completing a run.")] = False,
    profile: Annotated[bool, typer.Option("--profile", help="Print where the time went.")] = False,
    device: Annotated[str, typer.Option(help="Where models compute: cpu, cuda, mps, or auto.")] = "cpu",
    link: Annotated[
        Names, typer.Option(help="Link between edge and servers, in place of the suite's; may be repeated.")
    ] = None,
    random_weights: Annotated[
        bool, typer.Option("--random-weights", help="Random weights of --model: enough to time a network.")
    ] = False,
    servers: Annotated[
        str | None,
        typer.Option(help="HOST:PORT,HOST:PORT,...: servers on other machines, see `pedbench serve`."),
    ] = None,
    keys: Annotated[
        Path | None, typer.Option(help="The edge's folder of `pedbench keys`: TLS with --servers.")
    ] = None,
    engine: Annotated[
        str, typer.Option(help="local: this machine. ray: workers of a Ray cluster, which time nothing.")
    ] = "local",
    address: Annotated[
        str | None, typer.Option(help="Of ray: the cluster's; one is started here without.")
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Of ray: how many; as its cores allow without.")
    ] = None,
    worker_cores: Annotated[int, typer.Option(min=1, help="Of ray: for each worker alone.")] = 1,
    worker_memory: Annotated[
        float | None, typer.Option(min=0, help="Of ray: gigabytes that each worker asks for.")
    ] = None,
    worker_gpus: Annotated[
        float | None, typer.Option(min=0, help="Of ray: GPUs that each worker asks for; 0.5 shares one.")
    ] = None,
) -> None:
    """Run a suite, write its report and print the overview.

    The suite is `mini` unless another is named.

    The same selection continues in the same run directory: what is finished there is not run again, what
    failed is tried again. The exit status is 1 when cells failed or a control did not come out.
    """
    from pedbench import api
    from pedbench.host.console import Console
    from pedbench.host.stopwatch import describe_profile, read_profile
    from pedbench.report.outputs.terminal import print_overview

    if suite and named and suite != named:
        raise ValueError(f"two suites were given, {suite!r} and {named!r}; one run takes one.")
    if random_weights:
        from pedbench.models.sam.random_weights import random_weights as drawn

        if weights or not model:
            raise ValueError("--random-weights takes a --model (vit_b, vit_l or vit_h) and no --weights.")
    result = api.run(
        suite or named or "mini",
        defenses=defense or (),
        attacks=attack or (),
        dataset=dataset,
        data=data,
        limit=limit,
        seed=seed,
        model=model,
        weights=drawn(model) if random_weights and model else named_files(weights or ()),
        settings=settings or (),
        sweeps=sweep or (),
        links=link or (),
        plugins=plugin or (),
        quick=quick,
        out=out,
        fresh=fresh,
        servers=[address.strip() for address in servers.split(",")] if servers else (),
        keys=keys,
        device=device,
        engine=_engine(engine, device, address, workers, worker_cores, worker_memory, worker_gpus),
    )
    print_overview(result.run)
    console = Console()
    if profile:
        console.line(describe_profile(read_profile(result.directory)))
    for sentence in result.problems:
        console.line(sentence)
    console.line(f"Report: {result.directory / 'report.html'}")
    if not result.ok:
        sys.exit(1)
