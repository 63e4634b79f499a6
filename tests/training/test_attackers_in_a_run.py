"""Attacks by networks that were trained for a real model: in a run as the suite `coco` names them, and checked."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from pedbench.checks import check
from pedbench.models.sam.architectures import SMALL
from pedbench.models.sam.assembly import build_sam, random_tensors
from pedbench.registry import Registry
from pedbench.suites.files import load_suite
from pedbench.training.fine_tuning import deblur
from tests.made_models import make_autoencoder
from tests.training.short_attackers import make_pictures, recipe, tiny_sam, training
from tools.studies.sam_programs import save_for_transformers

TRAINED = ("completion", "token_decoder", "deblur")

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A home with the networks of `coco`, trained for one step from random stand-ins of the public ones."""
    root = tmp_path_factory.mktemp("trained")
    pictures, home = make_pictures(root / "pictures"), root / "home"
    make_autoencoder(root / "vit-mae-base", side=224)
    tiny_sam(root / "tiny-sam")
    ped = SMALL.reordered("ped-tiny-sam")
    state = dict(random_tensors(build_sam(ped, allocate=False).state_dict(), 0))
    save_for_transformers(state, ped, root / "ped-tiny-sam")
    names = {
        "completion-vit-mae-base": ("completion", str(root / "vit-mae-base")),
        "decoder-interleaved-tiny-sam": ("decoder", str(root / "tiny-sam")),
        "decoder-ped-tiny-sam": ("decoder", str(root / "ped-tiny-sam")),
        "deblur-photographs": ("deblur", "deblur-mini"),
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PEDBENCH_HOME", str(home))
        patch.setattr(deblur, "FRAME", 128)
        for name, (kind, start) in names.items():
            run = training(kind, start, pictures, home / name, recipe=recipe(1))
            assert run.out == home / name
            run.run()
        # Attacks need no more of a training than its weights.
        for name in names:
            shutil.rmtree(home / name / "training")
        yield root


def _choices(root: Path) -> list[dict[str, Any]]:
    """Return the attacks by trained networks as `coco` names them, for the stand-in of its SAM."""
    found = [choice.model_dump() for choice in load_suite("coco").attacks if not isinstance(choice, str)]
    chosen = [choice for choice in found if choice["name"] in TRAINED and "model" in choice["params"]]
    for choice in chosen:
        if choice["name"] == "token_decoder":
            choice["params"] = {"model": "tiny-sam"}
    return [{"name": choice["name"], "params": choice["params"]} for choice in chosen]


def test_the_attacks_of_coco_load_what_was_trained(home: Path, run_small: Any, tmp_path: Path) -> None:
    choices = _choices(home)
    assert [choice["name"] for choice in choices] == list(TRAINED)
    found = run_small(
        tmp_path / "run",
        model=str(home / "tiny-sam"),
        dataset={"name": "scenes", "params": {"count": 8}, "limit": 1},
        defenses=[
            {"name": "interleaved_offload"},
            {"name": "ped_sam", "params": {"weights": "reordered"}},
            {"name": "gaussian_blur"},
        ],
        attacks=["mean_colour", "nearest_pixel", "read_degraded", *choices],
        coalitions=[{"c": 1, "m": 1}],
        utility=[],
        latency={"samples": 1, "warmup": 0, "turn_taking": False},
    )
    status = {
        (record.cell["defense"]["name"], record.cell["attack"]["name"]): (record.status, record.reason)
        for record in found.records
        if record.cell["kind"] == "privacy" and "attack" in record.cell
    }
    for defense, attack in (
        ("interleaved_offload", "completion"),
        ("interleaved_offload", "token_decoder"),
        ("ped_sam", "completion"),
        ("ped_sam", "token_decoder"),
        ("gaussian_blur", "deblur"),
    ):
        assert status[defense, attack][0] == "ok", status[defense, attack][1]


@pytest.mark.parametrize("index", range(3))
def test_they_keep_the_rules_of_attacks(home: Path, index: int) -> None:
    choice, registry = _choices(home)[index], Registry()
    outcomes = list(check(registry.spec("attacks", choice["name"], choice["params"]), registry))
    assert [outcome.rule for outcome in outcomes if outcome.problem or outcome.skipped] == []
    assert "the guess depends on the view alone" in [outcome.rule for outcome in outcomes]
