"""Controls: defenses of which is known what a sound harness must find. Told from a run directory alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from pedbench.results.records import Record
from pedbench.results.run import Run, once_per_run
from pedbench.results.statistics import difference, mean, worst_coalition
from pedbench.suites.cell import canonical_json

if TYPE_CHECKING:
    import pandas as pd

CONTROL = "control: "
"""Begins the flag of a record that belongs to a control; the control's name follows."""

FEW_PICTURES = 100
"""Number of pictures below which an interval that reaches beyond its bound says nothing yet."""

LEAST_PICTURES = 8
"""Number of pictures below which one of many intervals lies above its bound by chance."""

LEAST_LEAKAGE = 0.99
"""Minimum leakage of a picture that a server received as it is, for every attack and metric."""

MOST_GAIN = 0.01
"""Maximum gain of an attack with a decoy over the same attack with nothing; the interval's upper end."""

LEAST_MIXED = 1.0
"""dB of hidden PSNR that mixed tokens must bring: two networks that were trained apart differ by some tenths anyway."""

UNMIXED = "ped_sam"
"""Gives its servers the same windows as the control of mixed tokens, and tokens that tell nothing of others."""

Verdict = Literal["holds", "open", "fails"]


@dataclass(frozen=True, kw_only=True)
class Control:
    """The outcome of one control.

    Attributes:
        name: What was controlled: "whole picture", "nothing sent", "decoy" or "mixed tokens".
        defense: What tables call the defense.
        verdict: "open" where there are too few pictures to tell.
        detail: The figure that decides, or the reason.
    """

    name: str
    defense: str
    verdict: Verdict
    detail: str

    def __str__(self) -> str:
        return f"control {self.name} ({self.defense}) {self.verdict}: {self.detail}"


@once_per_run
def controls(run: Run) -> list[Control]:
    """Evaluate all controls of a run, in the order of its suite."""
    examined = {
        "whole picture": _whole_picture,
        "nothing sent": _nothing_sent,
        "decoy": _decoy,
        "mixed tokens": _mixed_tokens,
    }
    found = []
    for (defense, name), records in _groups(run).items():
        wrong = [record for record in records if record.status in ("failed", "invalid")]
        # An attack that fails says nothing about what it attacks.
        lost = [record for record in wrong if "attack" in record.cell and record.status == "failed"]
        bad = [record for record in wrong if record not in lost]
        measured = [record for record in records if record.status == "ok"]
        if bad:
            verdict, detail = _fails(f"{bad[0].status}: {bad[0].reason}")
        elif not measured:
            verdict, detail = _fails("nothing was measured")
        elif lost and name != "nothing sent" and not any("attack" in record.cell for record in measured):
            verdict, detail = "open", f"no attack was measured: {lost[0].reason}"
        else:
            verdict, detail = examined[name](run, defense, measured)
        found.append(Control(name=name, defense=defense, verdict=verdict, detail=detail))
    return found


def broken_controls(run: Run) -> list[Control]:
    """Return the controls that fail; one of them makes the run invalid."""
    return [control for control in controls(run) if control.verdict == "fails"]


def _groups(run: Run) -> dict[tuple[str, str], list[Record]]:
    groups: dict[tuple[str, str], list[Record]] = {}
    for record in run.records:
        for flag in record.flags:
            if flag.startswith(CONTROL):
                key = (run.defense(record), flag.removeprefix(CONTROL))
                groups.setdefault(key, []).append(record)
    return groups


def _fails(detail: str) -> tuple[Verdict, str]:
    return "fails", detail


def _geometry(run: Run, records: Sequence[Record], metric: str) -> list[float]:
    """Return all values of a metric of what was received, without any attack."""
    tables = [run.values(r.cell_id) for r in records if "attack" not in r.cell]
    return [float(value) for table in tables for value in table.loc[table["metric"] == metric, "value"]]


def _attacked(run: Run, records: Sequence[Record]) -> Iterator[tuple[str, pd.DataFrame]]:
    """Yield attack and coalition in words, with the values."""
    for record in records:
        if "attack" in record.cell:
            setting = f"{run.attack(record)}, c = {record.cell['coalition']['c']}"
            yield setting, run.values(record.cell_id)


def _whole_picture(run: Run, defense: str, records: Sequence[Record]) -> tuple[Verdict, str]:
    share = min(_geometry(run, records, "visible share"), default=0.0)
    if share < LEAST_LEAKAGE:
        return _fails(f"a server gets the whole picture, and of one a share of {share:.3f} counts as visible")
    least, place = 1.0, ""
    for attack, values in _attacked(run, records):
        leakage = values[values["metric"].str.startswith("leakage[")]
        if not leakage.empty and leakage["value"].min() < least:
            row = leakage.sort_values("value").iloc[0]
            least, place = row["value"], f" ({attack}, {row['metric']}, picture {row['image']})"
    if least < LEAST_LEAKAGE:
        return _fails(f"leakage is as low as {least:.3f}{place}, expected is at least {LEAST_LEAKAGE}")
    return "holds", f"leakage is at least {least:.3f} for every attack, metric and picture"


def _nothing_sent(run: Run, defense: str, records: Sequence[Record]) -> tuple[Verdict, str]:
    for metric in ("visible share", "content share"):
        most = max(_geometry(run, records, metric), default=0.0)
        if most > 0:
            return _fails(f"nothing is sent, and the {metric} reaches {most:.3f}")
    for record in run.of_kind("latency"):
        if run.defense(record) == defense and record.status == "ok":
            values = run.values(record.cell_id)
            if values["metric"].str.startswith("bytes").any():
                return _fails("nothing is sent, and bytes were counted")
    return "holds", "no message at all"


def _decoy(run: Run, defense: str, records: Sequence[Record]) -> tuple[Verdict, str]:
    gains = []
    for attack, values in _attacked(run, records):
        keyed = values[values["region"] == "hidden"].set_index(["metric", "image", "servers"])["value"]
        for metric in sorted(set(values["metric"])):
            if not metric.startswith("advantage["):
                continue
            blind = f"blind_{metric}"
            unseeing = keyed.loc[blind] if blind in keyed.index.get_level_values(0) else 0.0
            gain = mean((keyed.loc[metric] - unseeing).dropna().reset_index())
            low, high = gain.ci95 or (gain.value, gain.value)
            gains.append((high, low, gain.n, f"{attack}, {metric}"))
    if not gains:
        return "open", "no attack was measured"
    for high, low, pictures, setting in gains:
        certain = LEAST_PICTURES if low > MOST_GAIN else FEW_PICTURES
        if high > MOST_GAIN and pictures >= certain:
            return _fails(
                f"{setting}: above its own blind run by [{low:.3f}, {high:.3f}], at most {MOST_GAIN} is expected"
            )
    high, low, pictures, setting = max(gains)
    if high > MOST_GAIN:
        wide = sum(high > MOST_GAIN for high, *_ in gains)
        return "open", (
            f"{pictures} pictures are too few for {wide} of {len(gains)} intervals, the widest "
            f"[{low:.3f}, {high:.3f}] ({setting}), at most {MOST_GAIN} above the blind run is expected"
        )
    return "holds", f"no attack does better than blind by more than {high:.3f} ({setting})"


def _mixed_tokens(run: Run, defense: str, records: Sequence[Record]) -> tuple[Verdict, str]:
    """Require one attack to guess more of the hidden part than where the same servers get unmixed tokens."""
    mixed = run.defenses[defense]["params"]
    alike = {name: mixed[name] for name in ("servers", "assignment") if name in mixed}
    twins = run.matching(UNMIXED, alike)
    unmixed = {
        _guessing(record): record
        for record in run.of_kind("privacy")
        if record.status == "ok" and "attack" in record.cell and run.defense(record) in twins[:1]
    }
    found = []
    for record in records:
        if "attack" not in record.cell or _guessing(record) not in unmixed:
            continue
        pair = _hidden(run, record), _hidden(run, unmixed[_guessing(record)])
        # All servers together hold every pixel, so that nothing is hidden from them.
        if not any(values.empty for values in pair):
            apart = difference(*pair)
            low, high = apart.ci95 or (apart.value, apart.value)
            found.append(
                (
                    low,
                    apart.value,
                    high,
                    apart.n,
                    f"{run.attack(record)}, c = {record.cell['coalition']['c']}",
                )
            )
    if not found:
        return "open", f"no attack was measured both here and on {UNMIXED} with {alike}"
    low, value, high, pictures, setting = max(found)
    sentence = (
        f"{setting}: hidden PSNR {value:.2f} dB [{low:.2f}, {high:.2f}] above the same attack on {twins[0]}"
    )
    if low > 0 and value >= LEAST_MIXED:
        return "holds", sentence
    expected = f"at least {LEAST_MIXED} dB with an interval above 0 is expected"
    return ("open" if pictures < FEW_PICTURES else "fails"), f"{sentence}, {expected}"


def _guessing(record: Record) -> str:
    """Return the attack and the size of the coalition, by which two defenses are attacked alike."""
    return canonical_json([record.cell["attack"], record.cell["coalition"]])


def _hidden(run: Run, record: Record) -> pd.DataFrame:
    values = run.values(record.cell_id)
    values = values[(values["metric"] == "PSNR") & (values["region"] == "hidden")]
    return worst_coalition(values, "lower").assign(annotation=-1)
