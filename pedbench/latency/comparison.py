"""The comparison of computing on the device with offloading: what is timed, and how."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import pandas as pd

from pedbench.host.console import Console
from pedbench.host.provenance import cores
from pedbench.latency.power import PowerMeter
from pedbench.latency.projected_passes import WAY, Devices, Projection, Turns
from pedbench.measure.bench import Outcome, PassBench, Row
from pedbench.measure.pass_times import time_links, time_turns, warm_up
from pedbench.network.links import LOOPBACK
from pedbench.offload.passes.run_pass import Pass
from pedbench.offload.servers.remote import RemoteServers
from pedbench.suites.plan import DefensePlan
from pedbench.suites.schema import DefenseChoice, Suite
from pedbench.types import Sample

SERVERS = (1, 3, 9, 25)
LINKS = (LOOPBACK, "wifi-5")
NETWORK = "network"
"""Stands in tables for what lies between machines, where nothing is emulated."""

COLUMNS = ("defense", "servers", "way", "link", "image", "phase", "server", "value")


def comparison(suite: Suite, counts: Sequence[int]) -> Suite:
    """A suite that times what is always compared, on the pictures and the model of another suite.

    Args:
        suite: Its pictures, model, seed and `[latency]` are kept; its links become all those that have a name.
        counts: Numbers of servers for ped_sam.
    """
    return suite.model_copy(
        update={
            "defenses": [
                DefenseChoice(name="on_device"),
                DefenseChoice(name="full_offload"),
                DefenseChoice(name="ped_sam", sweep={"servers": list(counts)}),
            ],
            "attacks": [],
            "probes": [],
            "coalitions": [],
            "gallery": None,
            "compare_with": None,
            "quick": None,
        }
    )


@dataclass(frozen=True, kw_only=True)
class Problem:
    """Why a defense could not be timed over a link.

    Attributes:
        reason: A sentence.
    """

    defense: str
    servers: int
    way: str
    link: str
    reason: str


@dataclass(kw_only=True)
class Timings:
    """What was measured, and what could not be.

    Attributes:
        samples: One row a value, with the columns `COLUMNS`: seconds by phase, `bytes up` and `bytes down` by
            server, joules as `energy RAIL`.
        projection: What rows of the way `projected` assume; None where there are none.
    """

    samples: pd.DataFrame
    problems: list[Problem]
    projection: Projection | None = None


_Kept = Sequence[tuple[DefensePlan, Sequence[Turns]]]


def compare(
    bench: PassBench,
    measured: Sequence[str],
    console: Console,
    *,
    turn_taking: bool,
    devices: Devices,
) -> Iterator[Timings]:
    """Time every defense of a plan.

    Args:
        bench: What passes take.
        measured: Names of the links over which wall times are measured.
        console: Told of progress and of failures.
        turn_taking: Whether to measure servers computing alone, too, and compose that for every link.
        devices: What those passes are put on.

    Yields:
        After each defense, everything so far.
    """
    problems: list[Problem] = []
    kept: list[tuple[DefensePlan, list[Turns]]] = []
    frames: list[pd.DataFrame] = []
    with PowerMeter() as meter:
        for of in bench.plan.defenses:
            rounds = (len(measured) if of.defense.servers else 1) + turn_taking
            with console.stage(of.defense.label, len(of.images) * rounds) as advance:
                outcomes = {"wall": _wall(bench, of, measured, meter, advance)}
                if turn_taking:
                    turns: list[Turns] = []
                    outcomes["turn-taking"] = _turns(bench, of, advance, turns)
                    if not outcomes["turn-taking"].problems:
                        kept.append((of, turns))
            apart = isinstance(bench.servers, RemoteServers)
            for way, outcome in outcomes.items():
                frames += _frames(of, way, outcome, apart=apart)
                for problem in _problems(of, way, outcome, apart=apart):
                    problems.append(problem)
                    console.line(
                        f"{problem.defense} with {problem.servers} servers, {way} over {problem.link}: {problem.reason}"
                    )
            projection = _compare_devices(bench, kept, devices)
            projected = _projected(projection, kept) if projection else ()
            samples = pd.concat([*frames, *projected]) if frames else pd.DataFrame(columns=list(COLUMNS))
            yield Timings(samples=samples, problems=list(problems), projection=projection)
    if kept and not projection:
        console.line(
            "nothing is projected: what this host is compared with devices by is on_device's encoder"
        )


def _frames(of: DefensePlan, way: str, outcome: Outcome, *, apart: bool) -> Iterator[pd.DataFrame]:
    """What was measured of a defense, by link."""
    for link, cell in of.latency:
        rows = outcome.rows.get(cell.cell_id, [])
        if rows and cell.cell_id not in outcome.problems:
            yield _frame(of, way, NETWORK if apart else link.name, rows)


def _problems(of: DefensePlan, way: str, outcome: Outcome, *, apart: bool) -> Iterator[Problem]:
    """What could not be measured of it."""
    for link, cell in of.latency:
        if cell.cell_id in outcome.problems:
            yield Problem(
                defense=named(of.defense.label),
                servers=of.defense.servers,
                way=way,
                link=NETWORK if apart else link.name,
                reason=" ".join(outcome.problems[cell.cell_id][1].split()),
            )


def _wall(
    bench: PassBench,
    of: DefensePlan,
    measured: Sequence[str],
    meter: PowerMeter,
    advance: Callable[[int], None],
) -> Outcome:
    """Over each link in turn, every server with its share of the host's cores."""
    cells = [(link, cell) for link, cell in of.latency if link.name in measured]
    # What sends nothing is the same over any link.
    alike = cells[1:] if not of.defense.servers else []
    outcome = Outcome()
    with outcome.giving_up([cell for _, cell in cells], "warming up"):
        bench.restore_servers()
        bench.servers.set_mode(turns=False, threads=max(1, cores() // max(1, of.defense.servers)))
        of.defense.prepare(str(bench.networks.network("original").pixel_mean.device))
        for number, picture in enumerate(bench.prior.pictures[: bench.plan.suite.latency.warmup]):
            warm_up(bench, of, Sample(id=f"warm-up {number}", image=picture))
        timed = [pair for pair in cells if pair not in alike]
        outcome = time_links(bench, of, of.images, timed, advance=advance, more=meter.rows)
        for _, cell in alike:
            outcome.rows[cell.cell_id] = outcome.rows[cells[0][1].cell_id]
    return outcome


def _turns(bench: PassBench, of: DefensePlan, advance: Callable[[int], None], turns: list[Turns]) -> Outcome:
    """Once, servers computing alone; composed for every link. The passes are put into `turns`."""

    def keep(done: Pass, sample: Sample, decoder: float) -> None:
        seeds = {link: bench.link_seed(of, sample, link) for link, _ in of.latency}
        turns.append(
            Turns(image=sample.id, rounds=done.rounds, clock=done.clock, decoder=decoder, seeds=seeds)
        )

    cells = [cell for _, cell in of.latency]
    outcome = Outcome()
    with outcome.giving_up(cells, "taking turns"):
        bench.restore_servers()
        wanted = {cell.cell_id for cell in cells}
        return time_turns(bench, of, of.images, wanted, threads=cores(), advance=advance, keep=keep)
    return outcome


def _compare_devices(bench: PassBench, kept: _Kept, devices: Devices) -> Projection | None:
    """None without passes of the encoder on the edge, which this host's speed is told by."""
    for of, turns in kept:
        if of.defense.name == "on_device":
            return devices.against(bench.plan.family.original.architecture, turns)
    return None


def _projected(projection: Projection, kept: _Kept) -> Iterator[pd.DataFrame]:
    for of, turns in kept:
        rows: dict[str, list[Row]] = defaultdict(list)
        for each in turns:
            for link, row in each.on(projection.edge.factor, projection.server.factor):
                rows[link.name].append(row)
        for name, found in rows.items():
            yield _frame(of, WAY, name, found)


def named(label: str) -> str:
    """A defense's label without its number of servers, which stands beside it.

    Examples:
        >>> named("ped_sam(servers=9)"), named("ped_sam(servers=9, reply=float16)"), named("on_device")
        ('ped_sam', 'ped_sam(reply=float16)', 'on_device')
    """
    return re.sub(r"\(\)$", "", re.sub(r"servers=\d+(, )?", "", label).replace(", )", ")"))


def _frame(of: DefensePlan, way: str, link: str, rows: Sequence[Row]) -> pd.DataFrame:
    frame = pd.DataFrame(list(rows))
    regions = frame["region"].fillna("") if "region" in frame else pd.Series("", index=frame.index)
    phases = regions.where(frame["metric"] == way, (frame["metric"] + " " + regions).str.strip())
    return pd.DataFrame(
        {
            "defense": named(of.defense.label),
            "servers": of.defense.servers,
            "way": way,
            "link": link,
            "image": frame["image"],
            "phase": phases,
            "server": frame["servers"].fillna("") if "servers" in frame else "",
            "value": frame["value"],
        }
    )
