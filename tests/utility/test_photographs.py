"""IoU on every annotation of photographs against pycocotools' own reading of the file."""

from __future__ import annotations

import contextlib
import io
from pathlib import Path

import numpy as np
import pytest
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO

from pedbench.data.coco import CocoFolder
from pedbench.utility.segmentation import intersection_over_union

DATA = Path(__file__).parents[3] / "shared" / "data" / "coco"


@pytest.mark.slow
@pytest.mark.data
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # pycocotools
@pytest.mark.skipif(not DATA.is_dir(), reason="needs the COCO photographs")
def test_mean_equals_pycocotools_run_length_iou() -> None:
    file = DATA / "annotations" / "instances_val2017.json"
    folder = CocoFolder(DATA / "val2017", file)
    with contextlib.redirect_stdout(io.StringIO()):
        reference = COCO(str(file))
    ours: list[float] = []
    theirs: list[float] = []
    for id in folder.ids:
        instances = folder.sample(id).instances
        if not instances:
            continue
        truths = np.stack([instance.mask for instance in instances])
        # What a model may answer: the object a little beside its place, and without its lowest part.
        guesses = np.roll(truths, (3, -5), axis=(1, 2))
        guesses[:, guesses.shape[1] * 3 // 4 :] = False
        ours += intersection_over_union(guesses, truths)
        for instance, guess in zip(instances, guesses, strict=True):
            runs = reference.annToRLE(reference.anns[instance.id])
            found = coco_mask.iou([coco_mask.encode(np.asfortranarray(guess, np.uint8))], [runs], [0])
            theirs.append(float(found[0, 0]))
            counted = (guess & instance.mask).sum() / max((guess | instance.mask).sum(), 1)
            assert found[0, 0] == pytest.approx(counted, abs=1e-6)
    assert len(ours) == 794
    np.testing.assert_allclose(ours, theirs, atol=1e-6)
    assert np.mean(ours) == pytest.approx(np.mean(theirs), abs=1e-6)
    assert 0.3 < np.mean(ours) < 0.95
