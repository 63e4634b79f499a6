"""Each rule of datasets detects a dataset that breaks it, and the shipped scenes keep all rules."""

from __future__ import annotations

from pathlib import Path

import pytest

from pedbench.checks.datasets import check_dataset
from pedbench.registry import Registry

SQUARES = '''
"""A dataset of squares; the parameter `fault` selects the rule that it breaks."""
from dataclasses import dataclass, field, replace
from pathlib import Path
import random

import numpy as np

from pedbench.base import Dataset
from pedbench.errors import DatasetError
from pedbench.types import Instance, Sample, Secret


@dataclass(kw_only=True)
class Squares(Dataset):
    """Squares."""

    name = "squares"
    version = 1
    fault: str = ""
    _kept: dict = field(default_factory=dict, init=False, repr=False, compare=False)

    @property
    def annotated(self):
        return self.fault != "plain"

    @property
    def revision(self):
        return {"unnamed": "", "hurried": f"{random.random()}"}.get(self.fault, "1")

    @property
    def left_out(self):
        return {"both": {"0": "broken"}, "mute": {"9": ""}}.get(self.fault, {})

    @property
    def locations(self):
        return (Path("/nowhere"),) if self.fault == "moved" else ()

    def ids(self):
        if self.fault == "absent":
            raise DatasetError("no pictures: name their folder")
        found = {"empty": [], "numbers": [0, 1], "twice": ["0", "0"], "drawn": [f"{random.random()}"]}
        return found.get(self.fault, ["0", "1"])

    def __len__(self):
        return 5 if self.fault == "long" else len(self.ids())

    def __getitem__(self, index):
        if self.fault == "kept" and index in self._kept:
            return self._kept[index]
        mask = np.zeros((12, 16), np.bool_)
        mask[2:9, 3 + index : 9] = True
        image = np.stack([mask] * 3, axis=2).astype(np.float32) / 255 * (40 + index)
        square = Instance(id=1, category="square", mask=mask, area=float(mask.sum()))
        word = Secret(kind="text", content="word", box=(1.0, 1.0, 4.0, 3.0))
        sample = Sample(id=str(index), image=image, instances=(square,), secrets=(word,))
        changed = {
            "misnamed": {"id": "other"},
            "grey": {"image": image[..., 0]},
            "bytes": {"image": image.astype(np.uint8)},
            "dark": {"image": image - 1},
            "between": {"image": np.float32(0.3) * image},
            "grows": {"later": (np.tile(image, (2, 1, 1)),)},
            "bare": {"instances": ()},
            "plain": {"instances": ()},
            "unseen": {"instances": (replace(square, mask=mask & False),)},
            "integers": {"instances": (replace(square, mask=mask.astype(int)),)},
            "kindless": {"instances": (replace(square, category=""),)},
            "doubled": {"instances": (square, square)},
            "beyond": {"secrets": (replace(word, box=(20.0, 1.0, 4.0, 3.0)),)},
            "wordless": {"secrets": (replace(word, content=""),)},
            "lucky": {"image": image / max(image.max(), 1e-9) * np.float32(random.randrange(9) / 255)},
        }
        found = replace(sample, **changed.get(self.fault, {}))
        self._kept[index] = found
        return found
'''

BROKEN = {
    "empty": ("ids", "the dataset holds no picture"),
    "numbers": ("ids", "ids are strings, found 0"),
    "twice": ("ids", "ids are unique, found '0' twice"),
    "drawn": ("ids", "two calls of `ids` returned different lists"),
    "long": ("ids", "`len` is 5, but there are 2 ids"),
    "unnamed": ("revision", "`revision` is a string that is not empty, found ''"),
    "hurried": ("revision", "the same dataset has the revisions"),
    "both": ("pictures that are left out", "'0' is both in `left_out` and in `ids`"),
    "mute": ("pictures that are left out", "'9' is left out without a reason"),
    "moved": ("locations", "`locations` are paths that exist, found PosixPath('/nowhere')"),
    "misnamed": ("sample 0", "expected the id '0', found 'other'"),
    "grey": ("sample 0", "expected a picture of shape (H, W, 3), found (12, 16)"),
    "bytes": ("sample 0", "expected float32 pixels, found uint8"),
    "dark": ("sample 0", "expected values in [0, 1], found -1"),
    "between": ("sample 1", "every value is a multiple of 1/255"),
    "grows": ("sample 0", "`later` pictures have the shape of `image`, found (24, 16, 3)"),
    "unseen": ("sample 0", "instance 1: its mask is empty or its area (42.0) is not positive"),
    "integers": ("sample 0", "expected a bool mask of shape (12, 16), found int64 (12, 16)"),
    "kindless": ("sample 0", "instance 1 has no category"),
    "doubled": ("sample 0", "ids of instances are unique, found [1, 1]"),
    "beyond": ("sample 1", "a box is x, y, width, height and overlaps the picture"),
    "wordless": ("sample 1", "a secret is of kind text, face, object and has content"),
    "bare": ("annotations as declared", "`annotated` is True, but the first 2 pictures have no instances"),
    "lucky": ("samples depend on their index alone", "returned two different samples"),
    "kept": ("samples are fresh", "changes the next sample of the same index"),
}


@pytest.fixture(name="registry", scope="module")
def _registry(tmp_path_factory: pytest.TempPathFactory) -> Registry:
    file: Path = tmp_path_factory.mktemp("squares") / "squares.py"
    file.write_text(SQUARES)
    return Registry([file])


@pytest.mark.parametrize("fault", BROKEN)
def test_a_broken_dataset_is_detected(fault: str, registry: Registry) -> None:
    rule, problem = BROKEN[fault]
    spec = registry.spec("datasets", "squares", {"fault": fault})
    problems = {found.rule: found.problem for found in check_dataset(spec) if found.problem}
    assert problem in problems[rule], problems


@pytest.mark.parametrize("fault", ["", "plain"])
def test_a_dataset_that_keeps_the_rules_has_no_problems(fault: str, registry: Registry) -> None:
    found = list(check_dataset(registry.spec("datasets", "squares", {"fault": fault})))
    assert not [each for each in found if each.problem or each.skipped]


def test_a_dataset_without_its_data_is_not_checked(registry: Registry) -> None:
    (found,) = check_dataset(registry.spec("datasets", "squares", {"fault": "absent"}))
    assert found.skipped == "no pictures: name their folder"


@pytest.mark.parametrize("name", ["scenes", "panning_scenes"])
def test_datasets_in_the_tree_keep_the_rules(name: str) -> None:
    found = list(check_dataset(Registry().spec("datasets", name, {"count": 8})))
    assert not [each for each in found if each.problem or each.skipped]
