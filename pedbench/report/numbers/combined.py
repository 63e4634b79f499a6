"""The combined table: one row a defense, with what one would ask first about each axis."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pandas as pd

from pedbench.privacy.claims import FACES, UNDEFENDED, WORDS
from pedbench.report.numbers.speaking import COUNTED, LEAKAGE, speaking
from pedbench.report.numbers.tidy import claims, latency, privacy, utility
from pedbench.results.claim_summary import PLANTED
from pedbench.results.run import Run, once_per_run
from pedbench.suites.cell import canonical_json

CLAIMS = {WORDS: "words_read", FACES: "faces_found"}
"""Claims that the combined table has, with the beginning of their columns' names."""

_BAD = ("failed", "invalid")


def rules_of(frame: pd.DataFrame) -> list[str]:
    """Return the coalition rules that the combined table has columns for, as those columns end: c{c}_m{m}."""
    prefix = "privacy_status_"
    return [name.removeprefix(prefix) for name in frame.columns if name.startswith(prefix)]


def rule_of(ending: str) -> tuple[str, int]:
    """Return c and m of a coalition rule of `rules_of`.

    Examples:
        >>> rule_of("c2_m4")
        ('2', 4)
    """
    c, m = ending.removeprefix("c").split("_m")
    return c, int(m)


def measures_of(frame: pd.DataFrame, kind: str = LEAKAGE) -> list[str]:
    """Return the leakages (or advantages) that the combined table has columns for, e.g. "leakage[RMSE]"."""
    names = (re.fullmatch(r"(\w+\[.*\])_c\w+_value", name) for name in frame.columns)
    return list(dict.fromkeys(found[1] for found in names if found and found[1].startswith(kind)))


@once_per_run
def combined(run: Run) -> pd.DataFrame:
    """Return one row a defense, in the order of the plan.

    The utility columns are about the first protocol's first prompt, on medium and large objects where sizes are
    known. Columns of a coalition rule end with `_c{c}_m{m}`. There each leakage and advantage has the number of the
    attack that speaks for it, with _attack, _ties (others that are as strong), _bound (a lower bound) and _ahead (a
    limited attack that does better, its mean and number of pictures); words_read and faces_found have the source that
    finds most of those that a probe read in most pictures, with _source. Latency is about the first link, end to end.

    Returns:
        Numbers as four columns, NAME_value, _low, _high and _n; utility_status, privacy_status_c{c}_m{m} and
        latency_status are "" where nothing was planned; failed, invalid and skipped count a defense's cells.
    """
    useful, received, timed = utility(run), run.headline(privacy(run)), latency(run)
    spoken, found_claims = run.headline(speaking(run)), run.headline(claims(run))
    headline = _headline(useful)
    measures = [name for name in dict.fromkeys(privacy(run)["metric"]) if COUNTED.fullmatch(name)]
    rules = list(dict.fromkeys(zip(received["c"], received["m"], strict=True)))
    links = timed[["link", "dtype"]].drop_duplicates().head(1)
    rows = []
    for label, identity in run.defenses.items():
        row: dict[str, Any] = {"defense": label, "parameters": canonical_json(identity["params"])}
        row |= _utility(useful[useful["defense"] == label], *headline)
        for c, m in rules:
            mine, speakers, read = (
                frame[(frame["defense"] == label) & (frame["c"] == c) & (frame["m"] == m)]
                for frame in (received, spoken, found_claims)
            )
            row |= dict(_privacy(mine, speakers, measures, f"c{c}_m{m}"))
            row |= dict(_claims(read, f"c{c}_m{m}"))
        row |= _latency(timed[timed["defense"] == label].merge(links, on=["link", "dtype"]))
        statuses: list[str] = [record.status for record in run.records if run.defense(record) == label]
        rows.append(row | {status: statuses.count(status) for status in (*_BAD, "skipped")})
    frame = pd.DataFrame(rows)
    counts = [name for name in frame.columns if name.endswith("_n")]
    numbers = [name for name in frame.columns if name.endswith(("_value", "_low", "_high"))]
    return frame.astype(dict.fromkeys(counts, "Int64") | dict.fromkeys(numbers, "float64"))


def _headline(utility: pd.DataFrame) -> tuple[str, str, str]:
    """Return protocol, metric and region."""
    ok = utility[utility["metric"] != ""]
    if ok.empty:
        return "", "", ""
    first = ok.iloc[0]
    same = ok[(ok["protocol"] == first["protocol"]) & (ok["metric"] == first["metric"])]
    return first["protocol"], first["metric"], "ML" if (same["region"] == "ML").any() else "all"


def _utility(rows: pd.DataFrame, protocol: str, metric: str, region: str) -> dict[str, Any]:
    mine = rows[rows["protocol"] == protocol] if protocol else rows
    found = mine[(mine["metric"] == metric) & (mine["region"] == region) & (mine["status"] == "ok")]
    number = None if found.empty else found.iloc[0]
    retention = {
        "retention_value": None if number is None else number["retention"],
        **{name: None if number is None else number[name] for name in ("retention_low", "retention_high")},
        "retention_n": None if number is None else number["retention_n"],
        "retention_reference": "" if number is None else number["retention_reference"],
    }
    return {
        "utility_protocol": protocol,
        "utility_metric": metric,
        "utility_region": region,
        **_number("utility", number),
        **retention,
        "utility_status": _status(mine),
        "utility_flags": _flags(number),
    }


def _privacy(
    rows: pd.DataFrame, speakers: pd.DataFrame, measures: list[str], rule: str
) -> Iterator[tuple[str, Any]]:
    geometry = rows[(rows["attack"] == "") & (rows["metric"] == "visible share")]
    yield from _number(f"visible_share_{rule}", None if geometry.empty else geometry.iloc[0]).items()
    flags: dict[str, None] = {}
    for name in measures:
        found = speakers[speakers["metric"] == name]
        row = None if found.empty else found.iloc[0]
        yield from _number(f"{name}_{rule}", row).items()
        yield f"{name}_{rule}_attack", "" if row is None else row["attack"]
        yield f"{name}_{rule}_ties", 0 if row is None else int(row["ties"])
        yield f"{name}_{rule}_bound", row is not None and bool(row["bound"])
        yield f"{name}_{rule}_ahead", "" if row is None or not row["ahead"] else _ahead(row)
        if row is not None and name.startswith(LEAKAGE):
            cells = rows[rows["attack"].isin(row["attack"].split(" / "))]
            flags |= dict.fromkeys(flag for each in cells["flags"] for flag in each.split("; ") if flag)
    yield f"privacy_doubts_{rule}", "" if speakers.empty else speakers.iloc[0]["doubts"]
    yield f"privacy_flags_{rule}", "; ".join(flags)
    yield f"privacy_status_{rule}", _status(rows)


def _ahead(row: Any) -> str:
    return f"{row['ahead']} {row['ahead_value']:.3f} on {row['ahead_n']}"


def _claims(rows: pd.DataFrame, rule: str) -> Iterator[tuple[str, Any]]:
    """Yield the largest share of words and faces that any source gives."""
    for metric, name in CLAIMS.items():
        best = strongest_claim(rows, metric)
        yield from _number(f"{name}_{rule}", best).items()
        yield f"{name}_{rule}_source", "" if best is None else best["attack"] or best["source"]


def utility_values(run: Run, row: Any) -> pd.DataFrame | None:
    """Return the values behind a row's utility, one an annotation; None where it was not measured.

    Args:
        row: Of the combined table.
    """
    metric = str(row["utility_metric"]).replace("mIoU", "IoU", 1)
    for record in run.of_kind("utility"):
        if record.status == "ok" and run.defense(record) == row["defense"]:
            values = run.values(record.cell_id)
            values = values[values["metric"] == metric]
            if row["utility_region"] == "ML":
                values = values[values["tag"].str.split().str[0].isin(["M", "L"])]
            if len(values):
                return values
    return None


def strongest_claim(rows: pd.DataFrame, metric: str) -> Any:
    """Return the row of the source that gives most of a claim away, of those read in most pictures; None without any.

    Args:
        rows: From `tidy.claims`, of one defense and rule.
    """
    found = rows[(rows["metric"] == metric) & (rows["region"] == PLANTED) & rows["value"].notna()]
    found = found[found["source"] != UNDEFENDED]
    found = found[found["n"] == found["n"].max()]
    return None if found.empty else found.iloc[int(found["value"].argmax())]


def _latency(rows: pd.DataFrame) -> dict[str, Any]:
    ok = rows[rows["status"] == "ok"]

    def number(prefix: str, metric: str, regions: tuple[str, ...]) -> dict[str, Any]:
        found = ok[(ok["metric"] == metric) & ok["region"].isin(regions)]
        return _number(prefix, None if found.empty else found.iloc[0])

    return {
        "link": "" if rows.empty else rows.iloc[0]["link"],
        "dtype": "" if rows.empty else rows.iloc[0]["dtype"],
        **number("wall_p50", "wall p50", ("end to end",)),
        **number("turn_taking_p50", "turn-taking p50", ("end to end",)),
        **number("projected_p50", "projected p50", ("end to end",)),
        **number("bytes_up", "bytes up", ("", "all")),
        **number("bytes_down", "bytes down", ("", "all")),
        "latency_status": _status(rows),
        "latency_flags": _flags(None if ok.empty else ok.iloc[0]),
    }


def _number(prefix: str, row: Any) -> dict[str, Any]:
    return {f"{prefix}_{part}": None if row is None else row[part] for part in ("value", "low", "high", "n")}


def _flags(row: Any) -> str:
    return "" if row is None else str(row["flags"])


def _status(rows: pd.DataFrame) -> str:
    """Return the gravest status; "skipped" only if all are."""
    present = set(rows["status"])
    return next((status for status in ("failed", "invalid", "ok", "skipped") if status in present), "")
