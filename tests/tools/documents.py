"""Fenced blocks of the documents: commands, files and plugins."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


@dataclass(frozen=True)
class Block:
    """A fenced block.

    Attributes:
        language: First word behind the fence.
        file: Second word: the name under which the text tells to save it.
    """

    document: str
    language: str
    file: str
    text: str


def _blocks() -> list[Block]:
    found = []
    for document in DOCUMENTS:
        text = document.read_text(encoding="utf-8")
        for info, body in re.findall(r"^```([^\n]*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
            language, _, file = info.partition(" ")
            found.append(Block(document.name, language, file, body))
    return found


BLOCKS = _blocks()
COMMANDS = [
    (block.document, words)
    for block in BLOCKS
    if block.language == "sh"
    for line in block.text.splitlines()
    if (words := shlex.split(line, comments=True))
]
FILES = {block.file: block for block in BLOCKS if block.file}
STUDY, ONE_VIEW = SCRIPTS = ("first_study.py", "one_view.py")
PLUGINS = [name for name in FILES if name.endswith(".py") and not name.startswith(("test_", *SCRIPTS))]
