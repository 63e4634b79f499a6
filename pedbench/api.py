"""`pedbench.run`: what the command `pedbench run` does, for Python and notebooks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from pedbench.base import Attack, Dataset, Defense, Metric, Plugin
from pedbench.host.console import Console
from pedbench.host.processes import server_context
from pedbench.host.requirements import require_bench
from pedbench.host.scratch import ScratchFolder
from pedbench.host.stopwatch import Profile
from pedbench.network.addresses import refuse_plain
from pedbench.network.links import NETWORK
from pedbench.registry import Registry
from pedbench.registry.instances import check_given
from pedbench.results.run_directory import keep_plugins, locked, run_directory, settle
from pedbench.suites.files import load_suite
from pedbench.suites.fresh_seed import read_secret
from pedbench.suites.instances import choice_of, plugin_files
from pedbench.suites.quick import quicker
from pedbench.suites.resolve import Overrides, resolve
from pedbench.suites.timing import on_machines

if TYPE_CHECKING:
    from pedbench.engines.jobs import Engine
    from pedbench.network.certificates import Identity
    from pedbench.result import Result


def run(
    suite: str | Path = "mini",
    *,
    defenses: Sequence[str | Defense] = (),
    attacks: Sequence[str | Attack] = (),
    metrics: Sequence[str | Metric] = (),
    dataset: str | Dataset | None = None,
    data: str | Path | None = None,
    limit: int | None = None,
    seed: int | None = None,
    model: str | None = None,
    weights: Mapping[str, str | Path] = MappingProxyType({}),
    settings: Sequence[str] = (),
    sweeps: Sequence[str] = (),
    links: Sequence[str] = (),
    plugins: Sequence[str | Path] = (),
    secret: str | Path | None = None,
    quick: bool = False,
    out: str | Path = "reports",
    fresh: bool = False,
    servers: Sequence[str] = (),
    keys: str | Path | None = None,
    device: str = "cpu",
    engine: Engine | None = None,
) -> Result:
    """Measure a suite, or what is missing of it in its run directory.

    A name stands for the suite's entries of that name, or for the plugin with default parameters;
    `name(parameter=value, ...)` stands for the plugin with these parameters. An instance
    stands for its class and its parameters: it is built anew, here and in other processes, so that nothing else
    that it holds comes along. Its class needs no registration and may be defined in a notebook, a script or any
    file. From there it is copied as text, with the functions, classes, numbers and words beside it that it uses, and
    imports what it uses of installed packages; other values (arrays, networks, open files) are refused: they belong
    into `prepare`. Attacks run in processes that see installed packages and the single modules and packages that
    this process has imported, nothing else beside a script. Server operations of one's own take an installed
    package. The copies are kept in the run's folder `plugins`, as are the plugin files that the suite uses.

        result = pedbench.run("proof", defenses=["on_device", PedSam(servers=5)], attacks=["mean_colour", Mine()])
        result.table("privacy")

    Args:
        suite: A suite's name or the path of a suite file.
        defenses: Run only these; all of the suite without any.
        attacks, metrics: The same for attacks and metrics.
        dataset: Another dataset.
        data: Where the dataset lies.
        limit: Only the first pictures.
        seed: Another base seed.
        model: Another model family.
        weights: Files of its weights by name, e.g. {"fine-tuned": "ped_vit_b.pth"}.
        settings: `NAME.PARAMETER=VALUE`: each selected plugin with that name gets that value, or the table
            `latency` or `servers`.
        sweeps: `DEFENSE.PARAMETER=VALUE,VALUE,...`: one run per value.
        links: Names of links between edge and servers, in the place of the suite's.
        plugins: Files and folders with further plugins.
        secret: File of the secret seed that the suite commits to, see `pedbench commit-seed`.
        quick: Only the suite's part for a quick look.
        out: Folder that holds the runs.
        fresh: Start anew instead of completing a run.
        servers: HOST:PORT of servers on other machines (`pedbench serve`); processes of this one without any. The
            network between them is measured as it is; defenses that call more servers are left out.
        keys: The edge's folder of `pedbench keys`, for TLS with them.
        device: Where models compute: `cpu`, `cuda`, `mps`, or `auto`.
        engine: Does the work, e.g. `pedbench.engines.ray.Ray(workers=4)`; this process without one.

    Returns:
        What was found. Cells that failed raise nothing: they are in `Result.failed`.

    Raises:
        ValueError: The suite, a plugin or a parameter is wrong.
        OSError: Something cannot be read or written, or another process writes the run.
        ModuleNotFoundError: The suite measures more than times, and the extra `bench` is not installed.
    """
    profile = Profile()
    identity = _identity(servers, keys, links, engine)
    check_given("defenses", defenses)
    check_given("attacks", attacks)
    check_given("metrics", metrics)
    check_given("datasets", [] if dataset is None else [dataset])
    loaded = load_suite(str(suite))
    paths = [Path(path).expanduser().resolve() for path in plugins]
    with ScratchFolder("plugins") as folder:
        given = [each for each in (*defenses, *attacks, *metrics, dataset) if isinstance(each, Plugin)]
        paths += plugin_files(given, Registry(paths), Path(folder))
        overrides = Overrides(
            defenses=[choice_of(each) for each in defenses],
            attacks=[choice_of(each) for each in attacks],
            metrics=[choice_of(each) for each in metrics],
            dataset=None if dataset is None else choice_of(dataset),
            data=None if data is None else Path(data),
            limit=limit,
            seed=seed,
            model=model,
            weights=weights,
            settings=settings,
            sweeps=sweeps,
            links=links,
            secret=None if secret is None else read_secret(Path(secret)),
        )
        if not servers and (engine is None or engine.times):
            server_context()  # It imports while this process does.
        registry, console = Registry(paths), Console()
        resolved = resolve(quicker(loaded) if quick else loaded, overrides, registry)
        if servers:
            resolved, left_out = on_machines(resolved, len(servers), registry)
            for sentence in left_out:
                console.line(sentence)
        elif NETWORK in resolved.latency.links:
            raise ValueError(f"the link {NETWORK!r} lies between machines: name them with --servers.")
        if any((resolved.utility, resolved.attacks, resolved.metrics, resolved.probes, resolved.coalitions)):
            require_bench()
        directory = run_directory(Path(out), resolved, fresh=fresh)
        # They bring models and statistics along, which take seconds to import: wrong input is told of before.
        with profile.stage("imports"):
            from pedbench.engines.local import Local
            from pedbench.engines.runner import run as measure
            from pedbench.result import Result

        with locked(directory):
            try:
                keep_plugins(directory, resolved, registry)
                engine = engine or Local(device, addresses=servers, identity=identity)
                measured = measure(resolved, directory, console, paths, profile, engine)
            finally:
                note = settle(directory)
        if note:
            console.line(note)
    return Result(measured)


def _identity(
    servers: Sequence[str], keys: str | Path | None, links: Sequence[str], engine: Engine | None
) -> Identity | None:
    """Read the edge's certificates. Raise if what is asked of servers on other machines does not fit together."""
    if engine is not None and servers:
        raise ValueError("--servers is for the engine of this machine: leave --engine out.")
    if links and servers:
        raise ValueError("--link: with --servers the network between the machines is measured as it is.")
    if keys is not None and not servers:
        raise ValueError("--keys is for --servers; between processes of this host there is no TLS.")
    folder = None if keys is None else Path(keys)
    for address in servers:
        refuse_plain(address, "--servers", folder)
    if folder is None:
        return None
    from pedbench.network.certificates import read_identity

    return read_identity(folder, "edge")
