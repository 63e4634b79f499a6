"""A tab's state on real servers and confined attacks, without a browser."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pedbench.errors import PluginError
from pedbench.explore.attackers import Cancelled, Switch
from pedbench.explore.exploration import Exploration
from pedbench.explore.pictures import read_bytes
from pedbench.explore.workshop import Workshop
from pedbench.offload.servers.virtual import VirtualServers
from pedbench.suites.choices import Choice

pytestmark = pytest.mark.slow

PLUGINS = Path(__file__).parents[1] / "measure" / "plugins"
FILES = [PLUGINS / f"{name}.py" for name in ("black", "endless", "stumbles", "two_requests")]


@pytest.fixture(scope="module")
def workshop() -> Iterator[Workshop]:
    found = Workshop(plugins=FILES)
    found.load()
    found.loaded.result(120)
    yield found
    found.close()
    assert found.explorer._servers is None


@pytest.fixture
def tab(workshop: Workshop) -> Exploration:
    found = Exploration(workshop)
    found.show(workshop.samples[0])
    return found


def test_masks_are_compared_with_the_object_under_the_click_or_in_the_box(tab: Exploration) -> None:
    assert tab.sample is not None
    objects = [each for each in tab.sample.instances if not each.crowd]
    alone = tab.segment()
    assert alone.truth is max(objects, key=lambda each: each.area)
    assert (alone.defended, alone.agreement, len(alone.scores)) == (None, None, 1)
    tab.defense = Choice(name="on_device")
    tab.run()
    # The undefended model is on_device: the two agree in full.
    masks = tab.segment()
    assert masks.agreement == 1
    assert masks.defended is not None
    assert masks.truth is not None
    both = masks.defended & masks.truth.mask
    expected = both.sum() / (masks.defended | masks.truth.mask).sum()
    assert masks.scores == pytest.approx([expected] * 2)
    small = min(objects, key=lambda each: each.area)
    rows, columns = np.nonzero(small.mask)
    tab.prompt = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
    assert tab.segment().truth is small
    tab.prompt = (0, 0, *tab.sample.image.shape[1::-1])
    assert tab.segment().truth is None
    with pytest.raises(ValueError, match="calls no server"):
        tab.guess(Switch())


def test_a_coalition_holds_its_windows_and_guesses_are_measured_on_the_rest(tab: Exploration) -> None:
    sent: list[int] = []
    trial = tab.run(lambda call: sent.append(call.server))
    assert sorted(sent) == [0, 1, 2]
    for coalition in ({0}, {1, 2}, {0, 1, 2}):
        pooled = trial.pool(coalition)
        canvas, coverage = pooled.view.canvas()
        received = trial.covered[sorted(coalition)].any(axis=0)
        assert np.array_equal(coverage, received)
        assert np.array_equal(pooled.visible, received)
        assert np.array_equal(canvas[received], trial.frame[received])
    assert received.all()
    assert sum(trial.shares()) == pytest.approx(1)
    tab.toggle(2)
    assert tab.coalition == {0, 2}
    tab.attack = Choice(name="black")
    guess = tab.guess(Switch())
    assert tab.guess_made is guess
    hidden = ~trial.pool({0, 2}).visible
    expected = np.sqrt(np.square(trial.frame[hidden], dtype=np.float64).mean())
    assert guess.distances["RMSE"]["hidden"] == pytest.approx(expected)
    assert guess.distances["RMSE"]["hidden"] > guess.floor["RMSE"]["hidden"] > 0
    assert np.array_equal(guess.picture, np.where(hidden[..., None], 0, trial.frame))
    # No attack is imported where the truth is.
    assert not any(str(FILES[0]) == getattr(each, "__file__", None) for each in sys.modules.values())
    tab.toggle(0)
    tab.toggle(2)
    assert tab.coalition == {2}
    assert not tab.guess_made


def test_words_are_those_of_the_scene_that_the_coalition_received(tab: Exploration) -> None:
    tab.run()
    tab.coalition = {0, 1, 2}
    known = [secret.content for secret in tab.workshop.samples[0].secrets if secret.kind == "text"]
    try:
        words = tab.words()
    except ValueError as unavailable:
        pytest.skip(str(unavailable))
    assert words.known == len(known)
    assert words.found >= 1
    assert {word.upper() for word in words.read} & {word.upper() for word in known}


def test_sweeping_the_servers_keeps_those_that_run(tab: Exploration) -> None:
    tab.run()
    servers = tab.workshop.explorer._servers
    assert isinstance(servers, VirtualServers)
    before = servers.pids()
    count = len(before) + 1
    tab.coalition = {0, 2}
    tab.defense = Choice(name="ped_sam", params={"servers": count})
    trial = tab.run()
    assert servers.pids()[: len(before)] == before
    assert len(trial.covered) == count == len(servers.pids())
    assert len({exchange.server for exchange in trial.done.exchanges}) == count
    tab.defense = Choice(name="ped_sam", params={"servers": 2})
    tab.run()
    # Who is not there any more leaves the coalition.
    assert tab.coalition == {0}


def test_attacks_get_as_many_requests_as_they_ask_for(tab: Exploration) -> None:
    trial = tab.run()
    tab.attack = Choice(name="two_requests")
    one = trial.pool({0})
    assert tab.guess(Switch()).label == "two_requests"
    assert len(trial.passes) == 2
    assert len(trial.pool({0}, 2).view.messages) == 2 * len(one.view.messages)


def test_a_guess_is_ended_before_it_begins_and_under_way(tab: Exploration) -> None:
    tab.run()
    switch = Switch()
    switch.turn_off()
    with pytest.raises(Cancelled):
        tab.guess(switch)
    tab.attack = Choice(name="endless")
    switch = Switch()
    future = tab.workshop.guesses.submit(tab.guess, switch)
    # The floors come first; the attack itself waits for ever.
    while tab.workshop.guesses.ahead(future) or not switch._attacks:
        threading.Event().wait(0.01)
    began = time.monotonic()
    switch.turn_off()
    with pytest.raises(Cancelled):
        future.result(30)
    assert time.monotonic() - began < 10
    tab.attack = Choice(name="mean_colour")
    assert tab.guess(Switch()).label == "mean_colour"
    tab.attack = Choice(name="hosted_inpaint")
    with pytest.raises(ValueError, match="sends pictures to another host, which the explorer never does"):
        tab.guess(Switch())


@pytest.mark.parametrize(
    ("defense", "kind", "reason"),
    [
        (Choice(name="stumbles"), KeyError, "no such window"),
        (Choice(name="stumbles", params={"how": "nan"}), ValueError, "not finite"),
        (Choice(name="ped_sam", params={"servers": 0}), PluginError, "at least one server"),
        (Choice(name="ped_sam", params={"payload": "smoke"}), PluginError, "smoke"),
        (Choice(name="gone"), PluginError, "there is no defense named 'gone'"),
    ],
)
def test_a_broken_defense_says_why_and_the_next_one_runs(
    tab: Exploration, defense: Choice, kind: type[Exception], reason: str
) -> None:
    tab.defense = defense
    with pytest.raises(kind, match=reason):
        tab.run()
    assert tab.trial is None
    tab.defense = Choice(name="full_offload")
    assert tab.run().shares() == [1]


def test_a_brought_picture_has_masks_and_guesses_without_a_truth(tab: Exploration, tmp_path: Path) -> None:
    file = tmp_path / "wide.png"
    rng = np.random.default_rng(3)
    Image.fromarray(rng.integers(0, 256, (90, 200, 3), np.uint8)).save(file)
    tab.show(read_bytes("wide.png", file.read_bytes()))
    assert tab.prompt == (100, 45)
    trial = tab.run()
    masks = tab.segment()
    assert masks.undefended.shape == (90, 200)
    assert (masks.truth, masks.scores) == (None, ())
    assert trial.frame.shape[1] == 320
    assert 0 < tab.guess(Switch()).distances["RMSE"]["hidden"] < 1
    assert "--data FOLDER" in tab.suite()[1]
    # A pass of another picture is none of this one's.
    tab.show(tab.workshop.samples[1])
    with pytest.raises(ValueError, match="has not run"):
        tab.guess(Switch())
