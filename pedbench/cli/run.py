"""`pedbench run`: measure a suite."""

from __future__ import annotations

import sys
import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pedbench.cli import options

if TYPE_CHECKING:
    from pedbench.engines.jobs import Engine


def named_suite(argument: str | None, option: str | None) -> str:
    """Return the suite named by the argument or by `--suite`; `mini` by default.

    Raises:
        ValueError: They name different suites.
    """
    if argument and option and argument != option:
        raise ValueError(f"two suites were given, {argument!r} and {option!r}: name one.")
    return argument or option or "mini"


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
        raise ValueError("--address, --workers and --worker-... need --engine ray.")
    return None


def run_suite(
    context: typer.Context,
    suite: options.SuiteArgument = None,
    named: options.SuiteOption = None,
    defense: options.Defenses = None,
    attack: options.Attacks = None,
    metric: options.Metrics = None,
    sweep: options.Sweeps = None,
    dataset: options.Dataset = None,
    data: options.Data = None,
    limit: options.Limit = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Base seed; by default the suite's.")] = None,
    model: options.Model = None,
    weights: options.Weights = None,
    settings: options.Settings = None,
    plugin: options.Plugins = None,
    secret: Annotated[
        Path | None, typer.Option(help="File of the secret seed that the suite commits to.")
    ] = None,
    quick: options.Quick = False,
    out: options.Out = Path("reports"),
    fresh: Annotated[bool, typer.Option("--fresh", help="Start a new run; complete no earlier one.")] = False,
    open_report: Annotated[
        bool, typer.Option("--open", help="Open the report in the browser when it is written.")
    ] = False,
    profile: Annotated[bool, typer.Option("--profile", help="Print the time that each phase took.")] = False,
    device: Annotated[str, typer.Option(help="Device that runs models: cpu, cuda, mps, or auto.")] = "cpu",
    link: Annotated[
        options.Names,
        typer.Option(help="Link between edge and servers, replaces the suite's; may be repeated."),
    ] = None,
    random_weights: Annotated[
        bool, typer.Option("--random-weights", help="Random weights of --model: enough to time a network.")
    ] = False,
    servers: Annotated[
        str | None,
        typer.Option(help="HOST:PORT,HOST:PORT,...: servers on other machines, see `pedbench serve`."),
    ] = None,
    keys: Annotated[
        Path | None, typer.Option(help="The edge's folder from `pedbench keys`, for TLS with --servers.")
    ] = None,
    engine: Annotated[
        str, typer.Option(help="local: this machine; ray: workers of a Ray cluster, without timing.")
    ] = "local",
    address: Annotated[
        str | None, typer.Option(help="ray: address of the cluster; by default one is started here.")
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="ray: number of workers; by default as many as the cores allow.")
    ] = None,
    worker_cores: Annotated[int, typer.Option(min=1, help="ray: cores for each worker.")] = 1,
    worker_memory: Annotated[
        float | None, typer.Option(min=0, help="ray: gigabytes for each worker.")
    ] = None,
    worker_gpus: Annotated[
        float | None, typer.Option(min=0, help="ray: GPUs for each worker; 0.5 shares one.")
    ] = None,
) -> None:
    """Run a suite, write its report and print the overview.

    The default suite is `mini`.

    A second run of the same selection continues in the same run directory: finished cells are kept, failed cells run
    again. The exit status is 1 if cells or controls failed.
    """
    from pedbench import api
    from pedbench.host.console import Console
    from pedbench.host.requirements import BENCH, has_bench
    from pedbench.host.stopwatch import describe_profile, read_profile

    suite, selected = named_suite(suite, named), options.selection(context.params)
    if random_weights:
        from pedbench.models.sam.random_weights import random_weights as make_random_weights

        if weights or not model:
            raise ValueError("--random-weights takes a --model (vit_b, vit_l or vit_h) and no --weights.")
        selected["weights"] = make_random_weights(model)
    result = api.run(
        suite,
        **selected,
        plugins=plugin or (),
        secret=secret,
        quick=quick,
        out=out,
        fresh=fresh,
        servers=[address.strip() for address in servers.split(",")] if servers else (),
        keys=keys,
        device=device,
        engine=_engine(engine, device, address, workers, worker_cores, worker_memory, worker_gpus),
    )
    if reported := has_bench():
        from pedbench.report.outputs.terminal import print_overview

        print_overview(result.run)
    console = Console()
    if profile:
        console.line(describe_profile(read_profile(result.directory)))
    for sentence in result.problems:
        console.line(sentence)
    if reported:
        report = result.directory / "report.html"
        console.line(f"Report: {report}")
        if open_report and not webbrowser.open(report.resolve().as_uri()):
            console.line("--open: no browser was found. BROWSER names one.")
    else:
        console.line(
            f"Measured: {result.directory}. Copy it to a machine with the extra `bench` ({BENCH}) for "
            "`pedbench report`."
        )
    if not result.ok:
        sys.exit(1)
