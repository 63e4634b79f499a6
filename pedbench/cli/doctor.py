"""`pedbench doctor`: check that this machine has everything that a run needs."""

from __future__ import annotations

import contextlib
import importlib.metadata
import json
import os
import platform
import re
import shutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

import typer

import pedbench
from pedbench.cli import options
from pedbench.cli.finding import Finding, memory_gb
from pedbench.fetching.digests import digest
from pedbench.host.home import home
from pedbench.host.requirements import (
    BENCH,
    BENCH_PYTHON,
    MIN_PYTHON,
    has_bench,
    requirements,
)

PACKAGE = Path(pedbench.__file__).parent
MEMORY_GB = 6
"""Peak memory of the mini suite with its 25 servers in gigabytes, rounded up."""


def examine(
    context: typer.Context,
    suite: Annotated[
        str | None, typer.Option(help="Also check this suite's files, and predict its time and memory.")
    ] = None,
    defense: options.Defenses = None,
    attack: options.Attacks = None,
    metric: options.Metrics = None,
    sweep: options.Sweeps = None,
    dataset: options.Dataset = None,
    model: options.Model = None,
    data: options.Data = None,
    limit: options.Limit = None,
    weights: options.Weights = None,
    settings: options.Settings = None,
    plugin: options.Plugins = None,
    as_json: options.Json = False,
) -> None:
    """Report what this machine lacks, with remedies."""
    bench = has_bench()
    findings = [*_python(), *_packages(requirements())]
    if bench:
        findings += _packages(requirements("bench"))
    else:
        findings.append(
            Finding("extra bench", "not installed: edges and servers do without", BENCH, needed=False)
        )
    if suite is None:
        findings += _weights()
        if bench:
            findings += [*_probes(plugin or ()), *_attack_process(plugin or ())]
    else:
        from pedbench.cli.doctor_suite import examine_suite
        from pedbench.suites.resolve import Overrides

        findings += examine_suite(suite, Overrides(**options.selection(context.params)), plugin or ())
    findings += [*_home(), *_machine()]
    if as_json:
        facts = ("status", "subject", "found", "cure")
        options.print_json(findings=[{fact: getattr(each, fact) for fact in facts} for each in findings])
    else:
        for finding in findings:
            print(f"{finding.status:8}{finding.subject}: {finding.found}")
            if finding.cure:
                print(f"{'':8}-> {finding.cure}")
    if any(finding.status == "missing" for finding in findings):
        sys.exit(1)


def _python() -> Iterator[Finding]:
    for purpose, oldest in {"": MIN_PYTHON, " for the extra bench": BENCH_PYTHON}.items():
        if sys.version_info < oldest:
            cure = f"install Python {'.'.join(map(str, oldest))} or newer"
            yield Finding(f"Python{purpose}", platform.python_version(), cure, needed=not purpose)
            return
    yield Finding("Python", platform.python_version())


def _packages(required: Sequence[str]) -> Iterator[Finding]:
    for requirement in required:
        name, _, least = requirement.partition(">=")
        if name.startswith("pedbench"):
            continue
        try:
            installed = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            installed = ""
        current = installed and _numbers(installed) >= _numbers(least)
        cure = "" if current else f"python -m pip install '{requirement}'"
        yield Finding(f"package {name}", installed or "not installed", cure)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version)[:3])


def _weights() -> Iterator[Finding]:
    try:
        from pedbench.models.sam.family import MINI
    except ImportError as error:
        yield Finding("weights", f"not checked: {error}", "install the missing packages first")
        return
    members = [member for member in (MINI.original, MINI.fine_tuned, MINI.small) if member and member.file]
    manifest = PACKAGE / "assets" / "manifest.json"
    entries = json.loads(manifest.read_text(encoding="utf-8")) if manifest.is_file() else {}
    for member in members:
        name, file = member.architecture.name, member.file
        subject = f"weights {name}"
        if file is None or not file.is_file():
            yield Finding(subject, f"there is no {file}", f"{member.source}, or install pedbench again")
        elif name not in entries:
            yield Finding(
                subject, f"{manifest} does not list them", f"{member.source}, or install pedbench again"
            )
        elif digest(file) != entries[name]["sha256"]:
            yield Finding(subject, f"{file} does not match the manifest's digest", "install pedbench again")
        else:
            yield Finding(subject, "verified")


def _probes(plugins: Sequence[Path]) -> Iterator[Finding]:
    try:
        from pedbench.base import Probe
        from pedbench.errors import CheckpointError, ProbeUnavailable
        from pedbench.registry import Registry
    except ImportError as error:
        yield Finding("probes", f"not checked: {error}", "install the missing packages first")
        return
    registry = Registry(plugins)
    for name in registry.origins("probes"):
        probe: Probe = registry.create("probes", name, {})
        try:
            probe.prepare("cpu")
        except ProbeUnavailable as error:
            yield Finding(f"probe {name}", f"its cells are skipped: {error.reason}", error.cure, needed=False)
        except CheckpointError as error:
            found, _, cure = str(error).partition("\n")
            yield Finding(f"probe {name}", found, cure)
        else:
            yield Finding(f"probe {name}", "loaded")


def _attack_process(plugins: Sequence[Path]) -> Iterator[Finding]:
    """Load every attack with its defaults in a process as confined as in a run."""
    try:
        from pedbench.adversary.isolation.answers import AttackFailure
        from pedbench.adversary.isolation.asking import ConfinedAttacks
        from pedbench.adversary.isolation.facts import describe
        from pedbench.errors import PluginError
        from pedbench.registry import Registry
    except ImportError as error:
        yield Finding("attack process", f"not checked: {error}", "install the missing packages first")
        return
    registry = Registry(plugins)
    attacks = []
    for name in registry.origins("attacks"):
        # What must be configured, or is broken, is shown by `pedbench list` and by a run.
        with contextlib.suppress(PluginError):
            attacks.append((spec := registry.spec("attacks", name, {}), describe(spec)))
    files = [file for _, attack in attacks for file in attack.files]
    loaded = 0
    with ConfinedAttacks([spec for spec, _ in attacks], readable=files) as pool:
        for spec, _ in attacks:
            try:
                pool.load(spec)
            except AttackFailure as failure:
                cure = f"install what it lacks in {sys.prefix}, or name it on PYTHONPATH; files go in Attack.files"
                yield Finding(f"attack {spec.name}", f"fails in its own process: {failure}", cure)
                if failure.kind == "AttackDied":
                    break
            else:
                loaded += 1
    means = [name for name, in_force in pool.force.items() if in_force]
    found = f"loaded {loaded} of {len(attacks)} attacks; confined by {', '.join(means) or 'Python alone'}"
    cure = (
        ""
        if all(pool.force.values())
        else f"the kernel refuses {', '.join(sorted(pool.force.keys() - means))}"
    )
    yield Finding("attack process", found, cure and f"{cure}: see SECURITY.md", needed=False)


def _home() -> Iterator[Finding]:
    folder = home()
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    writable = os.access(existing, os.W_OK)
    cure = "" if writable else "set PEDBENCH_HOME to a writable folder"
    free = shutil.disk_usage(existing).free / 1e9
    yield Finding("cache", f"{folder}, {free:.0f} GB free", cure)
    rendered = sorted(path.name for path in (folder / "scenes").glob("*") if path.is_dir())
    yield Finding(
        "dataset scenes", f"rendered: {', '.join(rendered)}" if rendered else "rendered when first used"
    )


def _machine() -> Iterator[Finding]:
    from pedbench.host.provenance import cores

    count = cores()
    cure = "" if count >= 2 else "a run takes about twice as long as on two cores"
    yield Finding("cores", str(count), cure, needed=False)
    cure = "" if memory_gb() >= MEMORY_GB else f"the default suite needs {MEMORY_GB} GB; run fewer servers"
    yield Finding("memory", f"{memory_gb():.1f} GB", cure, needed=False)
    git = shutil.which("git")
    cure = "" if git else "install git, or records do not name the commit"
    yield Finding("git", git or "not found", cure, needed=False)
