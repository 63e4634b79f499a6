"""Families of attacks, and which of them a suite lacks for what servers received."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

from pedbench.adversary.isolation.facts import describe, family
from pedbench.adversary.prior import load_prior
from pedbench.base import Attack
from pedbench.registry import Registry
from pedbench.types import Patch, Tokens, View
from pedbench.validity.families import COMPLETING, REQUIRED, lacking, received

FAMILIES = {
    "accumulate": "accumulation",
    "averaging": "averaging",
    "biharmonic": "floor",
    "completion": "completion",
    "deblur": "sharpening",
    "diffusion_inpaint": "inpainting",
    "feature_decoder": "inversion",
    "guided_inversion": "inversion",
    "hosted_inpaint": "inpainting",
    "jigsaw": "re-assembly",
    "mean_colour": "floor",
    "metadata": "metadata",
    "nearest_pixel": "floor",
    "patch_inversion": "inversion",
    "random_image": "floor",
    "read_degraded": "floor",
    "split_decoder": "inversion",
    "token_decoder": "inversion",
    "token_inversion": "inversion",
    "vitmae": "masked autoencoder",
}


def test_every_attack_of_the_tree_has_its_family() -> None:
    registry = Registry()
    found = {
        name: describe(registry.spec("attacks", name, {})).family for name in registry.origins("attacks")
    }
    assert found == FAMILIES
    required = {name for kinds in REQUIRED.values() for each in kinds for name in np.atleast_1d(each)}
    assert required - {"completion of a read-out"} <= set(FAMILIES.values())


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"needs": {"nothing", "pixels"}}, "completion"),
        ({"needs": {"degraded", "tokens"}}, "inversion"),
        ({"needs": {"degraded"}}, "sharpening"),
        ({"needs": {"metadata"}}, "metadata"),
        ({"needs": {"pixels"}, "requests": 3}, "accumulation"),
        ({"needs": {"tokens"}, "requests": 3}, "averaging"),
        ({"needs": {"tokens"}, "family": "re-assembly"}, "re-assembly"),
        ({"needs": {"tokens"}, "floor": True}, "floor"),
    ],
)
def test_an_attack_that_declares_none_has_the_family_that_it_suggests(
    fields: dict[str, Any], expected: str
) -> None:
    @dataclass(kw_only=True)
    class Example(Attack):
        """An example."""

        name = "example"
        version = 1
        needs = frozenset(fields["needs"])
        floor = fields.get("floor", False)
        family = fields.get("family", "")

        @property
        def requests(self) -> int:
            return int(fields.get("requests", 1))

        def reconstruct(self, view: View, rng: np.random.Generator) -> Any:
            raise NotImplementedError

    assert family(Example()) == expected


def test_what_was_received_follows_from_views_and_from_what_the_defense_declares() -> None:
    registry = Registry()
    patch = Patch(picture=np.zeros((2, 2, 3), np.float32), top=0, left=0, server=0)
    values, positions = np.zeros((1, 4), np.float32), np.zeros((1, 2), np.int64)
    tokens = Tokens(values=values, positions=positions, depth=0, server=0)
    nothing = View(frame_size=(4, 4), prior=load_prior())
    view = replace(nothing, patches=(patch,), tokens=(tokens,))

    def kinds(name: str, *views: View, **params: Any) -> set[str]:
        return received(views, registry.create("defenses", name, params))

    assert kinds("on_device", nothing) == {"nothing"}
    assert kinds("ped_sam", nothing, view) == {"nothing", "pixels", "tokens"}
    assert kinds("ped_sam", replace(view, moves=True)) == {"nothing", "pixels", "tokens", "moving"}
    assert "randomised" in kinds("ped_sam", view, assignment="random")
    assert "randomised" not in kinds("ped_sam", nothing, assignment="random")
    assert {"shuffled", "randomised"} <= kinds("window_shuffle", view)
    assert kinds("random_payload", view) == {"nothing", "pixels", "tokens"}


def test_a_family_is_lacking_unless_one_of_its_attacks_was_measured() -> None:
    floor, completion, inversion, averaging = (
        {"family": name} for name in ("floor", "completion", "inversion", "averaging")
    )
    assert lacking({"nothing"}, [floor]) == []
    assert lacking({"nothing", "pixels"}, [floor]) == [" or ".join(COMPLETING)]
    assert lacking({"nothing", "tokens"}, [floor, inversion, completion]) == ["completion of a read-out"]
    assert lacking({"tokens"}, [inversion, completion | {"composed": True}]) == []
    assert lacking({"randomised"}, [floor]) == ["averaging or accumulation"]
    assert lacking({"randomised"}, [averaging]) == []
