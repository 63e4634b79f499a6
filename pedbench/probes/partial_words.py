"""Text recognition that completes words cut by a border."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from pedbench.base import MARGIN, Claim, ProbeUnavailable
from pedbench.models.lexicon import Lexicon, LexiconUnavailable
from pedbench.models.text_lines import REMEDY
from pedbench.probes.ocr import Ocr
from pedbench.types import Picture


@dataclass(kw_only=True)
class PartialWords(Ocr):
    """Read words as `ocr` does, and guess those that the left or right border cuts from an English lexicon.

    A fragment that reaches the border claims the likeliest words that it may be a part of, with the same box. Only
    fragments of letters are completed. What the upper or lower border cuts has lost a part of every letter.

    Attributes:
        guesses: Words claimed for a fragment besides the fragment itself. Every claim counts, so more of them win more
            by chance.
    """

    name = "partial_words"
    version = 1
    cite = "PP-OCR, arXiv 2009.09941; rapidocr; pyspellchecker"

    guesses: int = 1

    def __post_init__(self) -> None:
        if self.guesses < 1:
            raise ValueError(f"guesses must be at least 1, found {self.guesses}")

    def prepare(self, device: str) -> None:
        super().prepare(device)
        try:
            self._lexicon = Lexicon()
        except LexiconUnavailable as error:
            raise ProbeUnavailable(str(error), REMEDY) from error

    def claims(self, picture: Picture) -> list[Claim]:
        read = super().claims(picture)
        return [*read, *(guess for claim in read for guess in self._guesses(claim, picture.shape[1]))]

    def _guesses(self, claim: Claim, width: int) -> Iterator[Claim]:
        left, breadth = claim.box[0], claim.box[2]
        before, after = left <= MARGIN, left + breadth >= width - MARGIN
        fragment = claim.content.casefold()
        if fragment.isalpha() and (before or after):
            for word, share in self.complete(fragment, before, after):
                yield replace(claim, content=word, confidence=claim.confidence * share)

    def complete(self, fragment: str, before: bool, after: bool) -> list[tuple[str, float]]:
        """Return the guesses for a fragment, with their probabilities.

        Args:
            fragment: Letters in lower case.
            before: Whether letters may be missing before it.
            after: Whether letters may be missing after it.
        """
        return self._lexicon.complete(fragment, before=before, after=after, most=self.guesses)
