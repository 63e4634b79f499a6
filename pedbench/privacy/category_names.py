"""Whether a sentence names a category, in the words that people use for it."""

from __future__ import annotations

import re
from collections.abc import Mapping

# As captions of COCO's photographs say it; cf. Rohrbach et al., Object Hallucination in Image Captioning,
# arXiv 1809.02156, whose lists are longer.
SYNONYMS: Mapping[str, tuple[str, ...]] = {
    "person": ("man", "woman", "boy", "girl", "child", "kid", "baby", "lady", "guy", "player", "rider"),
    "bicycle": ("bike",),
    "motorcycle": ("motorbike",),
    "airplane": ("plane", "aeroplane", "jet"),
    "boat": ("ship", "sailboat"),
    "traffic light": ("stoplight",),
    "couch": ("sofa",),
    "tv": ("television",),
    "cell phone": ("phone", "cellphone", "smartphone"),
    "potted plant": ("plant",),
    "dining table": ("table",),
    "sports ball": ("ball",),
    "refrigerator": ("fridge",),
    "donut": ("doughnut",),
    "handbag": ("purse",),
    "suitcase": ("luggage",),
    "cow": ("cattle",),
    "dog": ("puppy",),
    "cat": ("kitten",),
}
"""Other names of COCO's categories."""

_COMPOUNDS = {("hot", "dog"), ("teddy", "bear"), ("stuffed", "bear")}
"""Pairs of words that are not what their second word says."""

_IRREGULAR = {
    "people": "person",
    "men": "man",
    "women": "woman",
    "children": "child",
    "mice": "mouse",
    "knives": "knife",
    "geese": "goose",
    "buses": "bus",
}


def names(caption: str, category: str) -> bool:
    """Whether a caption names a category, in singular or plural, by its name or a common one for COCO's.

    Examples:
        >>> names("Two dogs on a sofa.", "dog"), names("Two dogs on a sofa.", "couch"), names("a hot dog", "dog")
        (True, True, False)
    """
    words = _words(caption)
    plain = category.replace("_", " ")
    return any(_holds(words, _words(name)) for name in (plain, *SYNONYMS.get(plain, ())))


def _holds(words: list[str], wanted: list[str]) -> bool:
    count = len(wanted)
    return any(words[place : place + count] == wanted for place in range(len(words) - count + 1))


def _words(text: str) -> list[str]:
    found: list[str] = []
    for word in map(_singular, re.findall(r"[a-z0-9]+", text.casefold())):
        if found and (found[-1], word) in _COMPOUNDS:
            found[-1] += f" {word}"
        else:
            found.append(word)
    return found


def _singular(word: str) -> str:
    if word in _IRREGULAR:
        return _IRREGULAR[word]
    if len(word) > 4 and word.endswith("ies"):
        return word[:-3] + "y"
    if word.endswith(("sses", "xes", "ches", "shes")):
        return word[:-2]
    return word[:-1] if word.endswith("s") and not word.endswith(("ss", "us", "is")) else word
