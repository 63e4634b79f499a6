"""Completion of fragments by frequency, compared with a search in the package's own dictionary."""

from __future__ import annotations

import sys

import pytest

from pedbench.models.lexicon import MISREAD, Lexicon, LexiconUnavailable


@pytest.fixture(scope="module")
def lexicon() -> Lexicon:
    pytest.importorskip("spellchecker")
    return Lexicon()


@pytest.mark.parametrize(
    ("fragment", "before", "after", "pattern"),
    [
        ("wind", False, True, r"wind.+|win[a-z]{2,}"),
        ("dow", True, False, r".+dow|[a-z]{2,}ow"),
        ("indo", True, True, r"(?=.{5}).*(indo|ndo|ind).*"),
        ("q", False, True, r"q.+"),
    ],
)
def test_completions_are_those_of_a_regular_expression_in_the_order_of_their_weights(
    lexicon: Lexicon, fragment: str, before: bool, after: bool, pattern: str
) -> None:
    import re

    from spellchecker import SpellChecker

    whole = {(False, True): fragment + ".+", (True, False): ".+" + fragment}.get(
        (before, after), f".*{fragment}.*"
    )
    counts = {
        word: float(count) for word, count in SpellChecker(language="en").word_frequency.dictionary.items()
    }
    fitting = {
        word: count * (1 if re.fullmatch(whole, word) else MISREAD)
        for word, count in counts.items()
        if word.isalpha() and len(word) > len(fragment) and re.fullmatch(pattern, word)
    }
    found = lexicon.complete(fragment, before=before, after=after, most=len(fitting) + 1)
    assert sorted(word for word, _ in found) == sorted(fitting)
    total = sum(fitting.values())
    assert all(share == pytest.approx(fitting[word] / total) for word, share in found)
    assert [share for _, share in found] == sorted((share for _, share in found), reverse=True)
    assert lexicon.complete(fragment, before=before, after=after, most=1) == found[:1]


def test_a_cut_letter_may_have_been_misread(lexicon: Lexicon) -> None:
    # Half a U reads as J: no word begins with "qj".
    ((word, _),) = lexicon.complete("qj", before=False, after=True, most=1)
    assert word.startswith("qu")


def test_nothing_completes_what_is_in_no_word(lexicon: Lexicon) -> None:
    assert lexicon.complete("xqzvk", before=False, after=True, most=3) == []


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "spellchecker", None)
    with pytest.raises(LexiconUnavailable, match="pyspellchecker cannot be loaded"):
        Lexicon()
