"""Whether what was received, or guessed, picks its picture out of the suite's gallery."""

from __future__ import annotations

from typing import Any

import pandas as pd

from pedbench.privacy.retrieval import chance
from pedbench.results.summary import RETRIEVAL

_ENDS = ("value", "low", "high")
_NUMBERS = [
    f"{source}_{measure}_{end}"
    for source in ("view", "guess")
    for measure in ("first", "reciprocal")
    for end in _ENDS
]
COLUMNS = ["defense", "c", "m", "gallery", "chance_first", "chance_reciprocal", "attack", "n", *_NUMBERS]


def retrieval(privacy: pd.DataFrame) -> pd.DataFrame:
    """Return one row a defense and coalition rule, where a gallery was searched.

    Args:
        privacy: From `tidy.privacy`.

    Returns:
        Columns `COLUMNS`: view_ numbers are of what was received, guess_ of the attack that finds its pictures
        best on average; first is the share of pictures that come first, reciprocal the mean reciprocal rank.
    """
    names = privacy["metric"].str.extract(RETRIEVAL)
    searched = privacy.assign(measure=names[0], gallery=names[1])
    searched = searched[searched["measure"].notna() & (searched["status"] == "ok")]
    rows = []
    for (defense, c, m), found in searched.groupby(["defense", "c", "m"], sort=False):
        count = int(found["gallery"].iloc[0])
        random = chance(count)
        guesses = found[(found["attack"] != "") & (found["measure"] == "reciprocal rank")]
        best = "" if guesses.empty else str(guesses["attack"].iloc[int(guesses["value"].argmax())])
        row: dict[str, Any] = {"defense": defense, "c": c, "m": m, "gallery": count, "attack": best}
        row |= {"chance_first": random.first, "chance_reciprocal": random.reciprocal, "n": found["n"].max()}
        for source, attack in (("view", ""), ("guess", best)):
            for measure, name in (("first", "rank-1"), ("reciprocal", "reciprocal rank")):
                mine = found[(found["attack"] == attack) & (found["measure"] == name)]
                if not mine.empty and (source == "view" or best):
                    row |= {f"{source}_{measure}_{end}": mine[end].iloc[0] for end in _ENDS}
        rows.append(row)
    return pd.DataFrame(rows, columns=COLUMNS).astype(dict.fromkeys(_NUMBERS, "float64"))
