"""Libraries outside of the Python installation: attacks get them, and nothing that lies beside them."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from pedbench.adversary.isolation import libraries
from pedbench.adversary.isolation.answers import AttackFailure
from pedbench.adversary.isolation.environment import environment
from pedbench.adversary.isolation.pool import AttackPool
from pedbench.adversary.prior import load_prior
from pedbench.adversary.view_bytes import view_to_bytes
from pedbench.registry import Registry
from pedbench.types import View

BORROWER = '''
"""Uses libraries from elsewhere."""
import ctypes, importlib, importlib.metadata, os
from dataclasses import dataclass
from pathlib import Path
import numpy as np
import lent_module
from pedbench.base import Attack

@dataclass(kw_only=True)
class Borrower(Attack):
    """Uses libraries from elsewhere."""

    name = "borrower"
    version = 1
    needs = frozenset({"nothing"})
    way: str
    target: str = ""

    def reconstruct(self, view, rng):
        getattr(self, self.way)()
        return np.full((*view.frame_size, 3), lent_module.LEVEL, np.float32)

    def use(self):
        for name in self.target.split():
            importlib.import_module(name)
        importlib.metadata.version("lent-late")
        (model,) = Path(os.environ["HF_HUB_CACHE"]).joinpath("models--a").iterdir()
        model.read_bytes()

    def read(self):
        Path(self.target).read_bytes()

    def read_around_python(self):
        if ctypes.CDLL(None).open(self.target.encode(), 0) < 0:
            raise OSError("refused by the kernel")
'''


def write(file: Path, text: str = "") -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return file


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Return a folder on the path with a module, an installed and an editable distribution, and some truth."""
    site, project = tmp_path / "site", tmp_path / "project"
    write(site / "lent_module.py", "LEVEL = 0.5")
    write(site / "lent_late" / "__init__.py", "from lent_late import part")
    write(site / "lent_late" / "part.py")
    write(
        site / "lent_late-1.dist-info" / "METADATA",
        "Name: lent-late\nVersion: 1\nRequires-Dist: lent.edited>=1",
    )
    record = ["lent_late/__init__.py,,", "lent_late-1.dist-info/METADATA,,", "../../bin/late,,"]
    write(site / "lent_late-1.dist-info" / "RECORD", "\n".join(record))
    write(site / "lent_edited-1.dist-info" / "METADATA", "Name: lent-edited\nVersion: 1")
    url = {"url": project.as_uri(), "dir_info": {"editable": True}}
    write(site / "lent_edited-1.dist-info" / "direct_url.json", json.dumps(url))
    write(project / "lent_edited" / "__init__.py")
    for truth in (site, project, project / "hub" / "datasets--b", site / "namespace"):
        write(truth / "truth.json", "[]")
    write(project / "hub" / "models--a" / "model")
    monkeypatch.setenv("HF_HUB_CACHE", str(project / "hub"))
    monkeypatch.setattr(libraries, "requirements", lambda _="": ["lent-late>=1; python_version > '3'"])
    for folder in (site, project):
        monkeypatch.syspath_prepend(folder)
    yield tmp_path
    for name in [name for name in sys.modules if name.startswith("lent_")]:
        monkeypatch.delitem(sys.modules, name)


@pytest.mark.slow
def test_attacks_get_the_libraries_of_the_run_and_nothing_beside_them(
    elsewhere: Path, tmp_path: Path
) -> None:
    plugin = write(tmp_path / "plugins" / "borrower.py", BORROWER)
    registry = Registry([plugin])
    truths = sorted(elsewhere.rglob("truth.json"))
    ways = [
        ("use", "lent_late lent_edited"),
        *((way, file) for file in truths for way in ("read", "read_around_python")),
    ]
    specs = [
        registry.spec("attacks", "borrower", {"way": way, "target": str(target)}) for way, target in ways
    ]
    view = view_to_bytes(View(frame_size=(4, 4), patches=(), prior=load_prior()))
    assert len(truths) == 4
    with AttackPool(specs) as pool:
        assert np.all(pool.guess(specs[0], [view], [0]).pictures[0] == np.float32(0.5))
        for (way, _), spec in zip(ways[1:], specs[1:], strict=True):
            if way == "read" or pool.force["landlock"]:
                refusal = "an attack may not open" if way == "read" else "refused by the kernel"
                with pytest.raises(AttackFailure, match=refusal):
                    pool.guess(spec, [view], [0])


def test_a_library_that_holds_truth_or_the_working_directory_is_not_offered(
    elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = elsewhere / "site"
    import lent_late  # type: ignore[import-not-found]

    assert {"lent_late", "lent_edited", "lent_late-1.dist-info"} <= libraries.libraries((), ()).keys()
    assert not {"namespace", "site", "bin"} & libraries.libraries((), ()).keys()
    for closed in (site / "lent_late" / "data", site):
        assert "lent_late" not in libraries.libraries((), [closed])
    monkeypatch.chdir(Path(lent_late.__file__).parent)
    assert "lent_late" not in libraries.libraries((), ())


def test_variables_reach_an_attack_by_exact_name(monkeypatch: pytest.MonkeyPatch) -> None:
    through = ("LD_PRELOAD", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "LC_ALL", "CUDA_VISIBLE_DEVICES")
    withheld = ("LC_SECRET", "PATH_TO_DATA", "HOME_OF_COCO", "CUDA_TOKEN", "HF_TOKEN", "HF_HOME_TOKEN")
    for name in (*through, *withheld):
        monkeypatch.setenv(name, "value")
    kept = environment("scratch", "links")
    assert set(through) <= kept.keys()
    assert not set(withheld) & kept.keys()
