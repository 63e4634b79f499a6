"""A folder with the files of the documents."""

from __future__ import annotations

from pathlib import Path

import pytest

from pedbench.cli import main
from tests.tools.documents import COMMANDS, FILES


@pytest.fixture(scope="session")
def document_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with all files that the documents tell to save, or to have written."""
    path = tmp_path_factory.mktemp("documents")
    for name, block in FILES.items():
        (path / name).write_text(block.text, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(path)
        for typed in {" ".join(words) for _, words in COMMANDS if words[:2] == ["pedbench", "new"]}:
            with pytest.raises(SystemExit) as left:
                main(typed.split()[1:])
            assert left.value.code == 0
    return path
