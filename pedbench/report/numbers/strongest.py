"""The choice of the attack that speaks for a defense in one number."""

from __future__ import annotations

from typing import Any

import pandas as pd


def strongest(rows: pd.DataFrame) -> Any:
    """Return the row of the attack that does best on average, out of those that guessed most pictures.

    An attack with a limit guesses fewer, and the mean over fewer pictures is another quantity.

    Args:
        rows: Of `tidy.privacy`: one metric, defense and coalition rule.

    Returns:
        None if there is no row.
    """
    alike = rows[rows["n"] == rows["n"].max()]
    return None if alike.empty else alike.iloc[int(alike["value"].argmax())]
