"""Measure what a lexicon adds to words that windows cut: `python -m tools.studies.partial_words`.

Each server of `ped_sam` is read by `ocr`, by `partial_words` and by a control that guesses without any fragment.
Prints the table and writes it into docs/measured/partial_words.md.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import pandas as pd

from pedbench.adversary.prior import load_prior
from pedbench.measure.probe_reader import Reader
from pedbench.models.sam.architectures import SAM_MINI
from pedbench.pictures.frame import to_frame
from pedbench.privacy.claims import ERRORS, WORDS, held_against, overlap, planted
from pedbench.privacy.pieces import pieces
from pedbench.probes.ocr import Ocr
from pedbench.probes.partial_words import PartialWords
from pedbench.registry import Registry
from pedbench.report.words.text import estimate, table
from pedbench.results.statistics import Estimate, difference, mean, worst_coalition_rows
from tools.documents.measured_blocks import measured
from tools.studies.server_views import server_views

SERVERS = (3, 9, 25)
GUESSES = (1, 5)


@dataclass(kw_only=True)
class FrequentWords(PartialWords):
    """A control of `partial_words`: claim the most frequent words wherever that claims completions."""

    def complete(self, fragment: str, before: bool, after: bool) -> list[tuple[str, float]]:
        return super().complete("", before, after)


def readers() -> Iterator[tuple[str, Reader]]:
    """Yield the probes with their titles, `ocr` first.

    Raises:
        RuntimeError: A package of the extra `probes` is missing.
    """
    yield "`ocr`", Reader(Ocr(), "cpu")
    for count in GUESSES:
        guesses = "1 guess" if count == 1 else f"{count} guesses"
        yield f"`partial_words`, {guesses}", Reader(PartialWords(guesses=count), "cpu")
        yield f"control, {guesses}", Reader(FrequentWords(guesses=count), "cpu")


def read(found: Mapping[str, Reader], count: int) -> pd.DataFrame:
    """Let every server of the first validation scenes be read.

    Args:
        found: Probes by title.
        count: Number of scenes.

    Returns:
        A row per number of servers, probe, image, server, word (the annotation) and metric, with its value.
    """
    dataset, prior = Registry().create("datasets", "scenes", {"split": "val"}), load_prior()
    rows = []
    for sample in (dataset[index] for index in range(count)):
        frame = to_frame(sample.image, SAM_MINI.image_size)
        size = (frame.shape[0], frame.shape[1])
        words = planted(sample, "text", size)
        for servers in SERVERS if words else ():
            for server, view in server_views(frame, servers, prior).items():
                parts = [
                    (piece, (piece.left, piece.top, piece.picture.shape[1], piece.picture.shape[0]))
                    for piece in pieces(view)
                ]
                received = [
                    p for p, box in parts if any(overlap(box, word.box) > 0 for word in words.values())
                ]
                for title, reader in found.items():
                    claims = [claim for piece in received for claim in reader.read(piece, size)]
                    rows += [
                        (servers, title, sample.id, str(server), number, metric, value)
                        for number, word in words.items()
                        for metric, value in held_against(word, claims).items()
                    ]
    columns = ["count", "probe", "image", "servers", "annotation", "metric", "value"]
    return pd.DataFrame(rows, columns=columns)


def tabulate(rows: pd.DataFrame, probes: list[str]) -> str:
    """Return the table of words and errors of each picture's strongest server, and differences to the first probe."""
    lines = []
    for servers in SERVERS:
        reference: dict[str, pd.DataFrame] = {}
        for probe in probes:
            line = [str(servers), probe]
            apart = []
            for metric, better in ((WORDS, "lower"), (ERRORS, "higher")):
                chosen = rows[
                    (rows["count"] == servers) & (rows["probe"] == probe) & (rows["metric"] == metric)
                ]
                worst = worst_coalition_rows(chosen, better)
                line.append(_shown(mean(worst)))
                reference.setdefault(metric, worst)
                apart.append("" if probe == probes[0] else _shown(difference(worst, reference[metric])))
            lines.append(line + apart)
    headers = ["servers", "probe", WORDS, ERRORS, "more words than `ocr`", "more errors than `ocr`"]
    return table(headers, lines, left=2)


def _shown(found: Estimate) -> str:
    return estimate(found.value, *(found.ci95 or (None, None)))


@measured("measured/partial_words.md", "partial words")
def main(count: int = 24) -> str:
    """Read validation scenes.

    Args:
        count: Number of scenes.
    """
    found = dict(readers())
    rows = read(found, count)
    words = rows.groupby("image")["annotation"].nunique()
    return (
        f"{words.sum()} words in {len(words)} of {count} validation scenes; 95 % bootstrap intervals over scenes. "
        f"The last columns compare word by word with `ocr`.\n\n{tabulate(rows, list(found))}"
    )


if __name__ == "__main__":
    main()
