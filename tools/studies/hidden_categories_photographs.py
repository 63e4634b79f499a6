"""Score a context head on annotated photographs: `python -m tools.studies.hidden_categories_photographs`.

Each of three servers of `ped_sam` with an official SAM's windows guesses which categories it does not see: by a head
of `pedbench train context`, by co-occurrence of what a detector finds, and by the prior. Prints a table.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
import numpy.typing as npt
import typer

from pedbench.adversary.prior import load_prior
from pedbench.data.coco import CocoFolder
from pedbench.inversion.co_occurrence import count_co_occurrence
from pedbench.inversion.hidden_context import hidden_by_head, seen_categories
from pedbench.models.attackers.context_head import load_head
from pedbench.models.hub.detection import load_detector
from pedbench.models.hub.embedding import load_embedder
from pedbench.models.hub.folders import model_reference
from pedbench.models.sam.architectures import VIT_B
from pedbench.pictures.frame import to_frame
from pedbench.privacy.hidden_categories import hidden_categories
from pedbench.training.fine_tuning.context import encoder_digest
from tools.studies.hidden_categories import SERVERS, Case, scored
from tools.studies.server_views import server_views


def cases(folder: CocoFolder, ids: Sequence[str], categories: Sequence[str]) -> Iterator[Case]:
    """Yield the views of all servers of some pictures."""
    prior = load_prior()
    for number, id in enumerate(ids):
        sample = folder.sample(id)
        known = [each for each in sample.instances if each.category in categories]
        frame = to_frame(sample.image, VIT_B.image_size)
        for view in server_views(frame, SERVERS, prior, VIT_B.grid).values():
            yield Case(number, view, hidden_categories(known, view.canvas()[1], categories))


def main(
    head: Annotated[Path, typer.Option(help="Folder of a head that pedbench train context made.")],
    encoder: Annotated[str, typer.Option(help="The embedder that it was trained on: a folder or hub id.")],
    detector: Annotated[str, typer.Option(help="Detector for co-occurrence: a folder or hub id.")],
    images: Annotated[Path, typer.Option(help="Folder of pictures that the head was not trained on.")],
    annotations: Annotated[Path, typer.Option(help="Their COCO instances file.")],
    count: Annotated[int, typer.Option(help="Score on so many pictures.")] = 100,
    training: Annotated[int, typer.Option(help="Count co-occurrence on so many others.")] = 300,
) -> None:
    """Score a context head against co-occurrence and the prior.

    Raises:
        ValueError: The head was trained on another embedder, or there are too few pictures.
    """
    network = load_head(head / f"{head.name}.safetensors")
    model = model_reference(encoder)
    if encoder_digest(model) != network.encoder:
        raise ValueError(f"--encoder: {encoder} is not the embedder that {head} was trained on.")
    folder = CocoFolder(images, annotations)
    ids = folder.ids[: count + training]
    if len(ids) < count + training:
        raise ValueError(f"found {len(ids)} pictures, expected {count} to score and {training} to count.")
    embedder, finder = load_embedder(model, "cpu"), load_detector(model_reference(detector), "cpu")
    names = network.categories

    def seen(views: Sequence[Case]) -> npt.NDArray[np.bool_]:
        return np.stack([seen_categories(case.view, finder, names) for case in views])

    known = list(cases(folder, ids[count:], names))
    tested = list(cases(folder, ids[:count], names))
    counted = count_co_occurrence(seen(known), np.stack([case.present for case in known]))
    guesses = {
        "prior: rates of the other pictures": np.broadcast_to(counted.prior, (len(tested), len(names))),
        "co-occurrence": counted(seen(tested)),
        f"`{head.name}`": np.stack([hidden_by_head(case.view, network, embedder) for case in tested]),
    }
    print(
        f"{len(tested)} views of {count} pictures; counts are of {len(known)} views of {training} others.\n"
    )
    print(scored(guesses, tested, counted.prior))


if __name__ == "__main__":
    typer.run(main)
