"""Claims that probes read from received content and from guesses, compared with what the scenes hide."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

import numpy as np

from pedbench.base import Claim
from pedbench.host.determinism import single_threaded
from pedbench.host.stopwatch import Stage
from pedbench.measure.bench import Bench
from pedbench.measure.guesses import Guessed
from pedbench.measure.outcome import Outcome, Row
from pedbench.measure.probe_reader import Reader
from pedbench.measure.views import Held, Reception, joined
from pedbench.privacy.claims import UNDEFENDED, held_against, overlap, planted
from pedbench.privacy.pieces import Piece, pieces
from pedbench.suites.plan import ClaimsPlan, DefensePlan
from pedbench.types import Secret


def read_claims(
    bench: Bench,
    of: DefensePlan,
    attacked: Sequence[Reception],
    guessed: Guessed,
    wanted: Collection[str],
    outcome: Outcome,
    stage: Stage,
) -> None:
    """Fill the wanted cells about claims: a value a secret and coalition, and one a secret for the frame itself.

    Args:
        guessed: What the attacks made of the same receptions.
        stage: Each probe is a part of it.
    """
    for claims in of.claims:
        if claims.cell.cell_id in wanted and claims.cell.cell_id not in outcome.problems:
            name = claims.probe.plugin.name
            with outcome.giving_up([claims.cell], f"probe {name}"), stage.part(name):
                _fill(bench, claims, attacked, guessed, outcome)


def _fill(
    bench: Bench, claims: ClaimsPlan, attacked: Sequence[Reception], guessed: Guessed, outcome: Outcome
) -> None:
    cell, reader = claims.cell, bench.readers[claims.probe.plugin.label]
    requests = cell.requests or 1
    kind = reader.probe.reads
    label = claims.attack.label if claims.attack is not None else ""
    if reader.unavailable:
        outcome.unfit[cell.cell_id] = reader.unavailable
        return
    if label and label not in guessed.pictures and cell.cell_id in outcome.unfit:
        return
    if label in guessed.failures:
        outcome.spoil([cell], "failed", str(guessed.failures[label]))
        return

    def rows(place: int) -> list[Row]:
        item = attacked[place]
        size = (item.frame.shape[0], item.frame.shape[1])
        secrets = planted(item.sample, kind, size) if item.sample.id in claims.images else {}
        if not secrets:
            return []
        readings: dict[str, list[Claim]] = {}
        for subset in item.coalitions_of(cell):
            found = _to_read(item, (requests, subset), guessed.pictures.get(label), place)
            if found is None:
                outcome.unfit[cell.cell_id] = _NOTHING if not label else f"{label} had nothing to guess from"
                return []
            readings[joined(subset)] = list(_read(reader, found, item, secrets.values()))
        itself = reader.read(Piece(picture=item.frame, top=0, left=0), size)
        return [
            *_rows(item, secrets, readings, str(cell.source)),
            *_rows(item, secrets, {"": itself}, UNDEFENDED),
        ]

    with single_threaded() as threads:
        for found in threads.map(rows, range(len(attacked))):
            outcome.rows[cell.cell_id] += found


_NOTHING = "tokens were received and no pixels: only an attack's guess can be read"


def _to_read(
    item: Reception, held: Held, guesses: Mapping[tuple[int, Held], np.ndarray] | None, place: int
) -> list[Piece] | None:
    """Return the pieces that a coalition has to read; None where it has only what a probe cannot read."""
    if guesses is not None:
        guess = guesses.get((place, held))
        if guess is None:
            return None
        # As the scorer does: an attack cannot lose what was received.
        pasted = np.where(item.visible[held][..., None], item.frame, guess)
        return [Piece(picture=pasted, top=0, left=0)]
    view = item.views[held]
    found = list(pieces(view))
    if item.visible[held].all():
        # So it is, too, where bytes are unexplained.
        found.append(Piece(picture=item.frame, top=0, left=0))
    return None if view.tokens and not found else found


def _read(
    reader: Reader, found: Sequence[Piece], item: Reception, secrets: Collection[Secret]
) -> Iterator[Claim]:
    """All claims that can count: about pieces that hold some of a secret, as only overlapping claims do."""
    for piece in found:
        place = (piece.left, piece.top, piece.picture.shape[1], piece.picture.shape[0])
        if any(overlap(place, secret.box) > 0 for secret in secrets):
            yield from reader.read(piece, (item.frame.shape[0], item.frame.shape[1]))


def _rows(
    item: Reception, secrets: Mapping[int, Secret], readings: Mapping[str, Sequence[Claim]], source: str
) -> Iterator[Row]:
    for servers, claims in readings.items():
        for number, secret in secrets.items():
            for name, value in held_against(secret, claims).items():
                yield {
                    "image": item.sample.id,
                    "annotation": number,
                    "servers": servers,
                    "metric": f"{name}[{source}]",
                    "value": value,
                }
