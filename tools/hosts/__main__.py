"""The suite latency across four hosts by the documented commands: `python -m tools.hosts`, as root, or `make hosts`.

Writes the tables of docs/measured/hosts.md.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pandas as pd

from pedbench.network.links import find_link
from pedbench.report.numbers.times import times
from pedbench.report.words.text import PHASES, table
from pedbench.results.records import RECORDS
from pedbench.results.run import load
from tools.documents.measured_blocks import measured
from tools.hosts.network import SERVERS, Hosts, hosts

PORT = 50051
AHEAD = {"two": 1000.0}
"""Seconds by which the monotonic clocks of servers are ahead."""


def environment() -> dict[str, str]:
    """Return variables for programs of the checkout and for one thread per process, as all hosts share the cores."""
    return {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "OMP_NUM_THREADS": "1"}


def pedbench(*arguments: str, within: Sequence[str] = ()) -> subprocess.CompletedProcess[str]:
    """Run a command of pedbench, on a host or on this machine."""
    command = [*within, sys.executable, "-m", "pedbench", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment())


@contextmanager
def serving(rig: Hosts, keys: Path, python: str) -> Iterator[str]:
    """Start `pedbench serve` on each server, and yield the edge's option `--servers`.

    Args:
        python: The servers' Python; one with the small install needs no checkout.
    """
    pedbench("keys", str(keys), *(f"--server={each},{rig.address(each)}" for each in SERVERS))
    with ExitStack() as undo:
        for server in SERVERS:
            bind = ("--bind", f"0.0.0.0:{PORT}", "--keys", str(keys / server), "--device", "cpu")
            command = [*rig.within(server, AHEAD.get(server, 0.0)), python, "-m", "pedbench", "serve", *bind]
            variables = environment() if python == sys.executable else {**os.environ, "OMP_NUM_THREADS": "1"}
            process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=variables, cwd=keys)
            undo.enter_context(process)
            # `unshare --fork` ignores SIGTERM.
            undo.callback(process.kill)
            assert process.stdout is not None
            if not process.stdout.readline():
                sys.exit(f"{server} does not serve")
        yield ",".join(f"{rig.address(server)}:{PORT}" for server in SERVERS)


def compared(far: pd.DataFrame, near: pd.DataFrame) -> str:
    """Tabulate the same defenses over hosts, over the emulated link, and composed."""
    p50 = {
        name: frame.set_index("defense")["p50"]
        for name, frame in {
            "hosts": far,
            "emulated": near[near["way"] == "wall"],
            "turns": near[near["way"] == "turn-taking"],
        }.items()
    }
    rows = []
    for defense, row in far.set_index("defense").iterrows():
        if not row["bytes up"]:
            continue
        seconds = {name: float(values[str(defense)]) for name, values in p50.items()}
        emulated: Any = near[near["way"] == "wall"].set_index("defense").loc[str(defense)]
        linked = [float(each["uplink"] + each["downlink"]) for each in (row, emulated)]
        computing = sum(row[phase] for phase in PHASES if phase not in ("uplink", "downlink")) / row["p50"]
        rows.append(
            [
                str(defense),
                *(f"{value * 1000:.0f}" for value in seconds.values()),
                f"{seconds['hosts'] / seconds['emulated']:.2f}",
                *(f"{value * 1000:.0f}" for value in linked),
                f"{linked[0] / linked[1]:.2f}",
                f"{seconds['hosts'] / seconds['turns']:.2f}",
                f"{computing:.0%}",
                f"{row['n']:.0f}",
            ]
        )
    ways = ["wall over hosts, ms", "wall emulated, ms", "turn-taking, ms", "hosts / emulated"]
    links = ["up and down over hosts, ms", "emulated, ms", "ratio"]
    headers = ["defense", *ways, *links, "hosts / turn-taking", "computing", "n"]
    return table(headers, rows)


Change = Callable[[Hosts], None]


def _setting(value: int) -> Change:
    def change(rig: Hosts) -> None:
        for host in ("edge", "one"):
            option = f"net.ipv4.tcp_slow_start_after_idle={value}"
            subprocess.run([*rig.within(host), "sysctl", "-qw", option], check=True)

    return change


def _mtu(size: int) -> Change:
    def change(rig: Hosts) -> None:
        rig.ip("router", f"link set one mtu {size}")
        rig.ip("one", f"link set net mtu {size}")

    return change


def _cable(state: str) -> Change:
    return lambda rig: rig.ip("router", f"link set one {state}")


def _move(before: int, after: int) -> Change:
    def change(rig: Hosts) -> None:
        rig.ip("one", f"addr del {rig.address('one', before)}/24 dev net")
        rig.ip("one", f"addr add {rig.address('one', after)}/24 dev net")
        rig.ip("one", f"route replace default via {rig.address('one', 1)}")

    return change


FAULTS: dict[str, tuple[Change, Change]] = {
    "none": (lambda _: None, lambda _: None),
    "packets of at most 600 bytes behind the router": (_mtu(600), _mtu(1500)),
    "slow start after each idle time": (_setting(1), _setting(0)),
    "cable pulled": (_cable("down"), _cable("up")),
    "address changed": (_move(2, 3), _move(3, 2)),
}
"""Faults between hosts: the cause of each, and its repair."""


@measured("measured/hosts.md")
def main(link: str = "lte", limit: int = 10, python: str = sys.executable) -> dict[str, str]:
    """Measure over hosts and over the emulated link, then cause faults.

    Args:
        link: Name of the edge's access; its jitter and loss are left out.
        limit: Number of pictures.
        python: The servers' Python, which may have the small install alone.
    """
    chosen = find_link(link)
    selected = ["run", "latency", "--fresh", "--sweep", "ped_sam.servers=1,3"]
    with tempfile.TemporaryDirectory(prefix="pedbench-hosts-") as name, hosts(chosen) as rig:
        folder = Path(name)
        edge = [f"--keys={folder / 'keys' / 'edge'}"]
        with serving(rig, folder / "keys", python) as servers:
            edge.append(f"--servers={servers}")
            counted = [f"--limit={limit}", f"--out={folder / 'far'}"]
            far = pedbench(*selected, *edge, *counted, within=rig.within("edge"))
            counted[-1] = f"--out={folder / 'near'}"
            near = pedbench(*selected, f"--link={link}", *counted)
            if far.returncode or near.returncode:
                sys.exit(far.stderr + near.stderr)
            run = load(folder / "far" / "latest")
            text = compared(times(run), times(load(folder / "near" / "latest")))
            offsets = [
                f"{server['clock_offset']['seconds']:.3f} s ± {server['clock_offset']['uncertainty'] * 1000:.0f} ms"
                for server in run.records[-1].provenance["servers"]
            ]
            print(text, flush=True)
            faults = []
            for fault, (cause, repair) in FAULTS.items():
                cause(rig)
                options = ["--set=servers.deadline=20", "--limit=2", f"--out={folder / fault}"]
                command = ["run", "latency", "--defense=full_offload", *edge, *options]
                done = pedbench(*command, within=rig.within("edge"))
                repair(rig)
                faults.append([fault, str(done.returncode), outcome(folder / fault, done.stderr)])
    heading = f"Link {link} without jitter, {limit} pictures. Clock offsets found: {', '.join(offsets)}."
    return {
        "hosts": f"{heading}\n\n{text}",
        "hosts-faults": table(["fault", "exit status", "outcome"], faults, left=3),
    }


def outcome(out: Path, printed: str) -> str:
    """Return the time that a run measured, or its last words."""
    if not (out / "latest" / RECORDS).exists():
        return printed.strip().splitlines()[-1]
    (record,) = load(out / "latest").records
    if record.status != "ok":
        return f"{record.status}: {record.reason}"
    return f"wall p50 {times(load(out / 'latest'))['p50'].iloc[0] * 1000:.0f} ms"


if __name__ == "__main__":
    main()
