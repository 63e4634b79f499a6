"""Masks of segmenters with their own decoders against transformers' processors and models, asked prompt by prompt."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from scipy import ndimage

from pedbench.base import Embedding
from pedbench.models.hub.segmentation import load_segmenter
from pedbench.pictures.frame import from_uint8, to_frame, to_uint8
from pedbench.types import Instance, Sample
from pedbench.utility import prediction
from pedbench.utility.prediction import predict, predict_at
from pedbench.utility.segmentation import evaluate
from tests.made_segmenters import make_segmenter
from tests.utility.one_by_one import ask, counted, one_by_one

SIZE, CANVAS = (180, 240), 320
KINDS = ("sam", "sam_hq", "sam2", "edgetam")


@dataclass
class ByHand:
    """transformers' own processor and model on a frame, with the interface of `SamPredictor` on the original."""

    processor: Any
    network: Any
    frame: npt.NDArray[np.uint8]

    def predict(
        self,
        point_coords: npt.NDArray[Any] | None = None,
        point_labels: npt.NDArray[Any] | None = None,
        box: npt.NDArray[Any] | None = None,
        mask_input: npt.NDArray[np.float32] | None = None,
    ) -> tuple[Any, Any, Any]:
        scale = CANVAS / max(SIZE)
        prompts: dict[str, Any] = {}
        if point_coords is not None and point_labels is not None:
            prompts["input_points"] = [[(point_coords * scale).tolist()]]
            prompts["input_labels"] = [[point_labels.tolist()]]
        if box is not None:
            prompts["input_boxes"] = [[(box * scale).tolist()]]
        inputs = self.processor(images=self.frame, return_tensors="pt", **prompts)
        sizes = {"reshaped_input_sizes": inputs.pop("reshaped_input_sizes", None)}
        inputs.pop("original_sizes")
        if mask_input is not None:
            inputs["input_masks"] = torch.from_numpy(mask_input)[None]
        with torch.no_grad():
            out = self.network(**inputs, multimask_output=True)
        (masks,) = self.processor.post_process_masks(out.pred_masks, original_sizes=[SIZE], **sizes)
        return masks[0].numpy(), out.iou_scores[0, 0].numpy(), out.pred_masks[0, 0].numpy()


@pytest.fixture(scope="module")
def sample() -> Sample:
    rng = np.random.default_rng(4)
    noise = ndimage.gaussian_filter(rng.normal(128, 900, (*SIZE, 3)), (5, 5, 0))
    y, x = np.indices(SIZE)
    ring = (np.hypot(y - 90, x - 150) < 60) & (np.hypot(y - 90, x - 150) > 40)
    masks = (ring, (x < 60) & (y > 40), (y < 30) & (x > 100))
    instances = tuple(
        Instance(id=id, category="thing", mask=mask, area=float(mask.sum())) for id, mask in enumerate(masks)
    )
    return Sample(id="a", image=from_uint8(np.clip(noise, 0, 255).astype(np.uint8)), instances=instances)


@pytest.fixture(scope="module", params=KINDS)
def both(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, sample: Sample
) -> tuple[Embedding, ByHand]:
    """The embedding of the sample's frame, and the predictor that it is compared with."""
    if request.param == "edgetam":
        pytest.importorskip("timm", reason="EdgeTAM's encoder is one of timm")
    import transformers

    folder = make_segmenter(tmp_path_factory.mktemp(request.param), request.param)
    kinds = {"sam": transformers.SamProcessor, "sam_hq": transformers.SamHQProcessor}
    processor = kinds.get(request.param, transformers.Sam2Processor).from_pretrained(folder)
    frame = to_frame(sample.image, CANVAS)
    segmenter = load_segmenter(str(folder), "cpu")
    network = transformers.AutoModelForMaskGeneration.from_pretrained(folder).eval()
    embedding = segmenter.encode(segmenter.preprocess(frame))
    return embedding, ByHand(processor=processor, network=network, frame=to_uint8(frame))


def test_masks_equal_those_of_transformers(both: tuple[Embedding, ByHand]) -> None:
    embedding, by_hand = both
    points = np.random.default_rng(0).random((11, 2)) * SIZE[::-1]
    found = predict_at(embedding, SIZE, points)
    assert found.shape == (11, *SIZE)
    for point, mask in zip(points, found, strict=True):
        expected, _ = ask(by_hand, point_coords=point[None], point_labels=np.array([1]))
        assert (mask == expected).mean() > 0.9999
    # Masks that hardly depend on their prompts would say little.
    assert (found != found[0]).mean() > 0.1
    boxes = np.array([[10, 20, 100, 90], [50.5, 30, 235, 170]])
    for box, mask in zip(boxes, predict(embedding, SIZE, boxes=boxes).masks, strict=True):
        assert (mask == ask(by_hand, box=box)[0]).mean() > 0.9999


def test_values_of_clicks_and_boxes_equal_those_of_transformers(
    both: tuple[Embedding, ByHand], sample: Sample
) -> None:
    embedding, by_hand = both
    prompts = ["1", "3", "5", "box"]
    rows = evaluate(embedding, sample, frame=(240, 320), window=64, protocol="clicks", prompts=prompts)
    found = {(row["annotation"], row["metric"]): row["value"] for row in rows}
    assert len(found) == 4 * len(sample.instances)
    for item in sample.instances:
        masks = one_by_one(by_hand, item.mask, 5)
        rows_, columns = np.nonzero(item.mask)
        box = np.array([columns.min(), rows_.min(), columns.max() + 1, rows_.max() + 1])
        expected = {"IoU[1 click]": masks[0], "IoU[3 clicks]": masks[2], "IoU[5 clicks]": masks[4]}
        for metric, mask in (expected | {"IoU[box]": ask(by_hand, box=box)[0]}).items():
            assert found[item.id, metric] == pytest.approx(counted(mask, item.mask), abs=1e-3)


def test_prompts_decoded_one_at_a_time_give_the_same_masks(
    both: tuple[Embedding, ByHand], monkeypatch: pytest.MonkeyPatch
) -> None:
    embedding, _ = both
    points = np.random.default_rng(1).random((5, 1, 2)) * SIZE[::-1]
    together = predict(embedding, SIZE, points=points)
    monkeypatch.setattr(prediction, "_MOST_AT_ONCE", 1)
    single = predict(embedding, SIZE, points=points)
    torch.testing.assert_close(single.logits, together.logits)
    assert (single.masks == together.masks).mean() > 0.9999


def test_a_prompt_needs_points_or_a_box(both: tuple[Embedding, ByHand]) -> None:
    with pytest.raises(ValueError, match="neither points nor boxes"):
        predict(both[0], SIZE)
