"""The words that probes read, one value a word, where tables have their mean."""

from __future__ import annotations

import pandas as pd

from pedbench.privacy.claims import UNDEFENDED, WORDS
from pedbench.report.numbers.tidy import claims
from pedbench.results.at_most import values_at_most
from pedbench.results.claim_summary import PLANTED
from pedbench.results.run import Run
from pedbench.results.statistics import worst_coalition_rows


def words_read(run: Run, defense: str, c: str, m: int) -> list[pd.DataFrame]:
    """Return for each source whether each word is read: in what was received, and in attacks' guesses.

    Sources that were read in fewer pictures than others are left out.

    Returns:
        Frames with columns image, annotation, value: the worst coalition of at most c servers.
    """
    rows = claims(run)
    rows = rows[(rows["defense"] == defense) & (rows["c"] == c) & (rows["m"] == m)]
    rows = rows[(rows["metric"] == WORDS) & (rows["region"] == PLANTED) & (rows["source"] != UNDEFENDED)]
    rows = rows[rows["value"].notna() & (rows["n"] == rows["n"].max())]
    records = {record.cell_id: record for record in run.claims}
    found = []
    for cell_id, source in zip(rows["cell_id"], rows["source"], strict=True):
        values = values_at_most(run, records[cell_id])
        found.append(worst_coalition_rows(values[values["metric"] == f"{WORDS}[{source}]"], "lower"))
    return found
