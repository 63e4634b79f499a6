"""`pedbench train context`: train a linear head that guesses hidden categories on a public embedder's vectors."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np
import numpy.typing as npt
import torch
from accelerate.utils import gather_object
from huggingface_hub import ModelCardData
from torch import Tensor, nn
from torch.nn import functional

from pedbench.errors import CheckpointError
from pedbench.fetching.digests import digest
from pedbench.inversion.hidden_context import visible_square
from pedbench.models.attackers.context_head import ContextHead, HeadSizes, save_head
from pedbench.models.hub.embedding import Embedder, load_embedder
from pedbench.models.hub.folders import model_files, model_reference
from pedbench.models.sam.architectures import VIT_B
from pedbench.offload.passes.assignment import assign
from pedbench.pictures.frame import to_frame
from pedbench.privacy.hidden_categories import bits_over_prior, hidden_categories, mean_average_precision
from pedbench.training.data.coalition_masks import held_pixels
from pedbench.training.data.pictures import order
from pedbench.training.fine_tuning.attacker_course import Attacker, AttackerRecipe
from pedbench.training.fine_tuning.course import Description, FineTuningCourse, Part
from pedbench.training.fine_tuning.memory_estimate import saved_bytes
from pedbench.training.fine_tuning.place import Place
from pedbench.training.tasks.context import SERVERS
from pedbench.types import Mask, Picture, Sample

GRID = VIT_B.grid
"""Windows of every official SAM."""

PRIOR_PICTURES = 512
"""Largest number of training pictures whose views give the prior."""


class Vectors(NamedTuple):
    """Views of servers: vectors (B, D) of what is visible, and 1 for each hidden category, (B, K)."""

    vectors: Tensor
    present: Tensor


class ContextHeadCourse(FineTuningCourse):
    """Trains a `ContextHead` on what single servers of `ped_sam` see of annotated pictures.

    Args:
        recipe: The recipe.
        place: Devices, processes and annotated pictures.
        embedder: The public network.
        name: Name of the head.
        encoder: The sha256 of the embedder's weights.
        start: What the model card calls the embedder.
    """

    score = "bits over the prior"

    def __init__(
        self, recipe: AttackerRecipe, place: Place, embedder: Embedder, *, name: str, encoder: str, start: str
    ) -> None:
        self.recipe, self.schedule, self.batch = recipe, recipe.schedule, recipe.batch
        self.name, self.file, self.accelerator = name, f"{name}.safetensors", place.accelerator
        self._place, self._embedder, self._encoder, self._start = place, embedder, encoder, start
        self._photographs = place.photographs
        self._categories = self._photographs.categories
        self._width = len(embedder(np.full((8, 8, 3), 0.5, np.float32)))
        self.frozen, self.auxiliary = {"encoder": embedder.network}, nn.Module()
        self.network = self.fresh()
        self.network.start(self._rates())
        self.network.train().to(self.accelerator.device)
        several = place.accelerator.num_processes > 1
        self._parallel = place.accelerator.prepare(self.network) if several else self.network

    @property
    def parallel(self) -> Any:
        return self._parallel

    def fresh(self) -> ContextHead:
        head = ContextHead(HeadSizes(features=self._width, categories=len(self._categories)))
        head.categories, head.encoder = self._categories, self._encoder
        return head

    def averaged(self, average: dict[str, Tensor]) -> ContextHead:
        head = self.fresh()
        head.load_state_dict(average)
        return head.eval().requires_grad_(False).to(self.accelerator.device)

    def make_batch(self, step: int) -> list[Part]:
        places = list(enumerate(order(len(self._photographs.ids), self.batch, self.recipe.seed, step)))
        parts = []
        for part in self._place.parts():
            views = [
                self._random_view(int(index), (self.recipe.seed, 3, step, place))
                for place, index in places[part]
            ]
            vectors, present = (torch.from_numpy(np.stack(each)) for each in zip(*views, strict=True))
            parts.append(Part(len(views) / self._place.share, Vectors(vectors, present.float())))
        return parts

    def losses(self, step: int, content: Vectors) -> tuple[Tensor, dict[str, float]]:
        vectors, present = (each.to(self.accelerator.device) for each in content)
        loss = functional.binary_cross_entropy_with_logits(self.parallel(vectors), present)
        return loss, {"cross-entropy": float(loss.detach())}

    def picture_bytes(self) -> int:
        alone = Vectors(torch.zeros(1, self._width), torch.zeros(1, len(self._categories)))
        return saved_bytes(lambda: self.losses(0, alone)[0], self.network)

    def scores(self, network: nn.Module) -> dict[str, float]:
        """Return mAP and bits over the views of all servers of the held-out pictures, which the processes share."""
        head = cast(ContextHead, network)
        rows = []
        with torch.inference_mode():
            for place, server, vector, present in self._held_out:
                logits = head(torch.from_numpy(vector)[None].to(self.accelerator.device))[0]
                probabilities = torch.sigmoid(logits.double()).clamp(1e-6, 1 - 1e-6)
                rows.append((place, server, probabilities.tolist(), present.tolist()))
        found = sorted(gather_object(rows))
        guessed, truth = np.array([row[2] for row in found]), np.array([row[3] for row in found])
        prior = head.prior.double().cpu().numpy()
        return {
            "bits over the prior": float(bits_over_prior(guessed, prior, truth).mean()),
            "mAP": mean_average_precision(guessed, truth),
            "prior mAP": mean_average_precision(np.broadcast_to(prior, truth.shape), truth),
        }

    def save(self, network: nn.Module, path: Path) -> None:
        save_head(cast(ContextHead, network), path)

    def describe(self) -> Description:
        return Description(
            metadata=ModelCardData(license="other", tags=["linear-probe", "context"]),
            about=f"A linear head on `{self._start}`, trained with `pedbench train context` to guess which categories "
            "of objects a server of `ped_sam` does not see.",
            facts={
                "encoder": f"`{self._start}`, sha256 `{self._encoder}`, frozen",
                "visible": f"what one of {SERVERS} servers receives, the rest in its mean colour",
                "categories": f"{len(self._categories)} of the instances file",
                "loss": "binary cross-entropy of the hidden categories",
            },
            scores="`bits over the prior` counts all categories of a view; the prior are the rates on training views. "
            "Step 0 is the prior itself.",
            use="`python -m tools.studies.hidden_categories_photographs` scores it against prior and co-occurrence.",
        )

    def _rates(self) -> npt.NDArray[np.float64]:
        count = min(PRIOR_PICTURES, len(self._photographs.ids))
        present = []
        for index in range(count):
            sample = self._photographs.training_sample(index)
            visible, _ = _shown(sample, np.random.default_rng((self.recipe.seed, 5, index)))
            present.append(self._hidden(sample, visible))
        rates: npt.NDArray[np.float64] = (np.sum(present, axis=0) + 0.5) / (count + 1)
        return rates

    def _random_view(
        self, index: int, seed: tuple[int, ...]
    ) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
        """Return the vector and the hidden categories of a server's view of a training picture, mirrored at random."""
        rng = np.random.default_rng(seed)
        sample = self._photographs.training_sample(index)
        if rng.random() < 0.5:
            turned = (replace(each, mask=each.mask[:, ::-1]) for each in sample.instances)
            sample = replace(sample, image=sample.image[:, ::-1], instances=tuple(turned))
        visible, frame = _shown(sample, rng)
        return self._embedder(visible_square(frame, visible)), self._hidden(sample, visible)

    def _hidden(self, sample: Sample, visible: Mask) -> npt.NDArray[np.bool_]:
        known = (each for each in sample.instances if each.category in self._categories)
        return hidden_categories(known, visible, self._categories)

    @cached_property
    def _held_out(self) -> list[tuple[int, int, npt.NDArray[np.float32], npt.NDArray[np.bool_]]]:
        own = range(self.accelerator.process_index, self.recipe.held_out, self.accelerator.num_processes)
        found = []
        for place in own:
            sample = self._photographs.sample(self._photographs.held_out[place])
            for server in range(SERVERS):
                visible, frame = _shown(sample, np.random.default_rng(0), server)
                vector = self._embedder(visible_square(frame, visible))
                found.append((place, server, vector, self._hidden(sample, visible)))
        return found


def _shown(sample: Sample, rng: np.random.Generator, server: int | None = None) -> tuple[Mask, Picture]:
    """Return the pixels (H, W) that a server sees of a picture's frame, and the frame.

    Args:
        sample: The picture.
        rng: Chooses the server where none is given.
        server: Its index.
    """
    frame = to_frame(sample.image, GRID.canvas[0])
    size = (frame.shape[0], frame.shape[1])
    windows = assign("dispersed", GRID.active(size), SERVERS, rng)
    chosen = windows[int(rng.integers(SERVERS)) if server is None else server]
    return held_pixels(chosen, size, GRID)[: size[0], : size[1]], frame


def context(start: str, recipe: AttackerRecipe) -> Attacker:
    """Return the context head that is trained on a public embedder such as CLIP or DINOv2.

    Args:
        start: Folder or hub id of the embedder, present on this machine.
        recipe: The recipe.

    Raises:
        CheckpointError: The model is missing or of another kind.
    """
    model = model_reference(start)
    load_embedder(model, "cpu")
    encoder = encoder_digest(model)
    name = f"context-{Path(model).name}"

    def course(place: Place) -> ContextHeadCourse:
        embedder = load_embedder(model, str(place.accelerator.device))
        return ContextHeadCourse(recipe, place, embedder, name=name, encoder=encoder, start=Path(model).name)

    return Attacker(name=name, start=encoder, course=course)


def encoder_digest(model: str) -> str:
    """Return the sha256 of each file of an embedder's weights, divided by spaces.

    Args:
        model: Result of `model_reference`.

    Raises:
        CheckpointError: There are no weights.
    """
    folder = model_files(model)[0]
    files = sorted(folder.glob("*.safetensors"))
    if not files:
        raise CheckpointError(
            f"{folder}: found no weights in .safetensors files\nexpected those of an embedder"
        )
    return " ".join(map(digest, files))
