"""Complete runs: their values, their repeatability and their reports."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pedbench.adversary.isolation.pool import AttackPool
from pedbench.registry import Registry
from pedbench.results.summary import MOMENTS
from pedbench.validity.flags import UNCONFINED

SCENES = {"name": "scenes", "params": {"count": 8}, "limit": 2}


def signature(record: Any) -> tuple[Any, ...]:
    """Return the contents of a record without its provenance and, for latency, without its times."""
    metrics = () if record.cell["kind"] == "latency" else record.metrics
    return record.cell_id, record.cell, record.status, record.reason, metrics, record.flags


def without_times(values: pd.DataFrame) -> pd.DataFrame:
    return values[~values["metric"].isin(["wall", "turn-taking", *MOMENTS])].reset_index(drop=True)


def compare(first: Any, second: Any, images: list[str] | None = None) -> Iterator[tuple[Any, Any]]:
    """Yield the values of each cell in two runs, whose selections of pictures may differ."""
    pairs = zip(first.records, second.records, strict=True)
    for one, other in pairs:
        kinds = [
            (r.cell["kind"], r.cell["defense"], r.cell.get("attack"), r.cell.get("coalition"))
            for r in (one, other)
        ]
        assert kinds[0] == kinds[1]
        left, right = (without_times(run.values(r)) for run, r in ((first, one), (second, other)))
        if images is not None:
            left, right = (frame[frame["image"].isin(images)] for frame in (left, right))
        yield left.reset_index(drop=True), right.reset_index(drop=True)


def test_everything_is_measured(small_run: Any) -> None:
    assert {record.status for record in small_run.records} == {"ok"}
    kinds = {(r.cell["kind"], r.cell["defense"]["name"]) for r in small_run.records}
    assert len(kinds) == 3 * 4
    images = small_run.values(small_run.of("on_device", "utility")[0])["image"].unique()
    assert len(images) == 4
    for record in small_run.records:
        assert set(small_run.values(record)["image"]) == set(images)
        assert record.provenance["run_id"] == small_run.directory.name
    assert "few pictures" in small_run.of("on_device", "utility")[0].flags
    assert "reference" in small_run.of("on_device", "utility")[0].flags
    assert small_run.of("on_device", "latency")[0].flags == ("few samples",)


def test_each_job_leaves_its_time(small_run: Any) -> None:
    times = pd.read_csv(small_run.directory / "jobs.csv")
    assert list(times.query("part == 'pictures'")["pictures"]) == [4] * 4
    assert (times["opening"] > 0).sum() == 1
    assert (times["seconds"] > 0).all()


def test_records_say_who_attacked_and_how_long_it_took(small_run: Any) -> None:
    import json

    from pedbench.adversary.prior import DESCRIPTION, FOLDER

    prior = json.loads((FOLDER / DESCRIPTION).read_text())
    known = f"{len(prior['pictures'])} training pictures, mean colour of {prior['sample']}"
    for record in small_run.records:
        assert record.defaults.keys() == record.cell.keys() & {"defense", "attack", "read_out", "probe"}
        if "attack" in record.cell:
            assert record.attacker == {
                "floor": True,
                "family": "floor",
                "needs": record.attacker["needs"],
                "knowledge": known,
                "proof": None,
            }
            assert "nothing" in record.attacker["needs"]
            assert 0 < record.timing["one guess"] < 60
        else:
            assert record.attacker == {}
            assert "one guess" not in record.timing
    table = pd.read_csv(small_run.directory / "tables" / "attackers.csv")
    assert table["attack"].tolist() == ["mean_colour", "random_image"]
    assert (table["seconds"] > 0).all()
    assert table["proven"].all()


def test_records_of_attacks_say_what_confined_these(small_run: Any) -> None:
    with AttackPool([spec := Registry().spec("attacks", "mean_colour", {})]) as pool:
        pool.load(spec)
    for record in small_run.records:
        assert record.provenance.get("confinement") == (pool.force if "attack" in record.cell else None)
        assert (UNCONFINED in record.flags) == ("attack" in record.cell and not pool.enforced)
    parts = ", ".join(f"`{means} {str(in_force).lower()}`" for means, in_force in pool.force.items())
    assert f"confinement: {parts}" in (small_run.directory / "report.md").read_text()


def test_what_is_visible_is_what_was_sent(small_run: Any) -> None:
    def shares(defense: str) -> list[float]:
        return [
            max(small_run.values(record).query("metric == 'visible share'")["value"])
            for record in small_run.of(defense, attack="")
        ]

    assert shares("on_device") == [0, 0]
    assert shares("full_offload") == [1, 1]
    one, together = shares("ped_sam")
    assert 1 / 3 <= one < 0.5
    assert together == 1
    assert max(shares("random_payload")) < 1e-3


def test_secrets_are_exposed_as_far_as_their_windows(small_run: Any) -> None:
    from pedbench.models.sam.architectures import SAM_MINI
    from pedbench.offload.passes.assignment import assign
    from pedbench.plugins.datasets.scenes import Scenes

    expected: dict[tuple[str, int], float] = {}
    dataset = Scenes(count=8)
    for sample in (dataset[index] for index in range(4)):
        height, width = sample.image.shape[:2]
        windows = SAM_MINI.grid.active((height, width))
        owners = assign("dispersed", windows, 3, np.random.default_rng(0))
        for number, secret in enumerate(sample.secrets):
            left, top, w, h = secret.box
            pixels = [
                (row // 64, column // 64)
                for row in range(int(top), min(height, int(np.ceil(top + h))))
                for column in range(int(left), min(width, int(np.ceil(left + w))))
            ]
            exposed = max(sum(pixel in part for pixel in pixels) for part in owners.values())
            expected[sample.id, number] = exposed / len(pixels)
    assert len(expected) > 6
    one, together = (
        small_run.values(record).query("metric == 'secret exposure'")
        for record in small_run.of("ped_sam", attack="")
    )
    found = dict(zip(zip(one["image"], one["annotation"], strict=True), one["value"], strict=True))
    assert found == pytest.approx(expected)
    assert set(together["value"]) == {1}
    assert set(one["tag"]) <= {"text", "face"}
    nothing = small_run.values(small_run.of("on_device", attack="")[0])
    assert set(nothing.query("metric == 'secret exposure'")["value"]) == {0}


def test_controls_hold(small_run: Any) -> None:
    from pedbench.results.run import load
    from pedbench.validity.controls import controls

    found = {control.name: control for control in controls(load(small_run.directory))}
    assert set(found) == {"nothing sent", "whole picture", "decoy"}
    assert found["nothing sent"].verdict == "holds"
    assert found["whole picture"].verdict == "holds"
    assert found["decoy"].verdict == "holds", found["decoy"].detail
    report = (small_run.directory / "report.md").read_text()
    assert report.index("## Controls") < report.index("## What was measured")
    assert "nothing sent, `on_device`: **holds**" in report
    # These are not soundness flags of a number.
    assert "control: " not in report


def test_an_attack_that_ignores_its_view_gains_exactly_nothing_from_a_decoy(small_run: Any) -> None:
    for record in small_run.of("random_payload", attack="random_image"):
        hidden = small_run.values(record).query("region == 'hidden'")
        values = hidden.set_index(["image", "servers", "metric"])["value"].unstack()
        for column in ("RMSE", "SSIM"):
            seeing, blind = values[f"advantage[{column}]"], values[f"blind_advantage[{column}]"]
            assert np.array_equal(seeing, blind)


@pytest.mark.long
def test_the_same_run_again_is_identical(short_run: Any, run_small: Any, tmp_path: Path) -> None:
    defenses = [{"name": name} for name in ("on_device", "full_offload", "ped_sam", "random_payload")]
    second = run_small(tmp_path / "second", defenses=defenses)
    assert [signature(record) for record in short_run.records] == [signature(r) for r in second.records]
    for left, right in compare(short_run, second):
        pd.testing.assert_frame_equal(left, right, check_exact=True)


def test_a_limit_changes_no_value(small_run: Any, short_run: Any) -> None:
    images = short_run.values(short_run.records[0])["image"].unique().tolist()
    assert len(images) == 2
    for left, right in compare(small_run, short_run, images):
        pd.testing.assert_frame_equal(left, right, check_exact=True)


@pytest.mark.long
def test_the_number_of_threads_changes_nothing(
    run_small: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    before, runs = torch.get_num_threads(), []
    defenses = [
        *({"name": name} for name in ("on_device", "on_device_small", "full_offload")),
        {"name": "ped_sam", "params": {"servers": 1}},
    ]
    metrics = ["root_mean_square_error", "structural_similarity", "learned_perceptual_similarity"]
    utility = [{"protocol": "clicks", "prompts": ["1", "3", "box"]}]
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            for module in ("engines.open_bench", "engines.worker", "host.determinism"):
                monkeypatch.setattr(f"pedbench.{module}.cores", lambda threads=threads: threads)
            directory = tmp_path / str(threads)
            runs.append(run_small(directory, defenses=defenses, metrics=metrics, utility=utility))
    finally:
        torch.set_num_threads(before)
    for left, right in compare(*runs):
        # This includes IoU, whose masks are thresholded.
        pd.testing.assert_frame_equal(left, right, rtol=1e-5, atol=1e-12)


@pytest.mark.long
def test_attacks_get_as_many_requests_as_they_declare(run_small: Any, tmp_path: Path) -> None:
    changes = {
        "defenses": [{"name": "ped_sam", "params": {"assignment": "random"}}],
        "metrics": ["root_mean_square_error"],
        "dataset": SCENES,
    }
    plugins = ["one_request", "two_requests"]
    both = run_small(tmp_path / "2", plugins, attacks=["mean_colour", *plugins], **changes)
    assert {record.status for record in both.records} == {"ok"}, both.said
    one, two = both.of("ped_sam", attack="one_request")[0], both.of("ped_sam", attack="two_requests")[0]
    assert (one.cell["requests"], two.cell["requests"]) == (1, 2)
    assert "randomised defense attacked once" in one.flags
    assert "randomised defense attacked once" not in two.flags
    alone = run_small(tmp_path / "1", plugins, attacks=["mean_colour", "one_request"], **changes)
    # Requests of other attacks change neither an attack's values nor the geometry.
    for name in ("", "mean_colour", "one_request"):
        for left, right in zip(
            both.of("ped_sam", attack=name), alone.of("ped_sam", attack=name), strict=True
        ):
            assert left.cell_id == right.cell_id
            pd.testing.assert_frame_equal(both.values(left), alone.values(right), check_exact=True)
    # Two random assignments cover more of the frame than one: less is hidden, more has leaked.
    leaks = [
        both.values(r).query("metric == 'leakage[RMSE]'").groupby("image")["value"].max() for r in (one, two)
    ]
    assert (leaks[1] > leaks[0]).all()


@pytest.mark.long
def test_stochastic_attacks_run_as_often_as_the_suite_says(run_small: Any, tmp_path: Path) -> None:
    changes = {
        "defenses": [{"name": "ped_sam"}],
        "metrics": ["root_mean_square_error"],
        "dataset": SCENES,
        "attacks": ["mean_colour", "lucky"],
    }
    once, often = (run_small(tmp_path / str(n), ["lucky"], seeds=n, **changes) for n in (1, 3))
    assert {record.status for record in often.records} == {"ok"}, often.said
    # Deterministic attacks have the same cells with the same values.
    for name in ("", "mean_colour"):
        for left, right in zip(
            once.of("ped_sam", attack=name), often.of("ped_sam", attack=name), strict=True
        ):
            assert left.cell_id == right.cell_id
            pd.testing.assert_frame_equal(once.values(left), often.values(right), check_exact=True)
    (alone, *_), (record, *_) = (run.of("ped_sam", attack="lucky") for run in (once, often))
    assert (alone.cell.get("seeds"), record.cell["seeds"]) == (None, 3)
    values = often.values(record)
    first = values[values["seed"] == 0].reset_index(drop=True)
    pd.testing.assert_frame_equal(first, once.values(alone), check_exact=True)
    errors = values.query("metric == 'RMSE' and region == 'hidden'")
    assert errors.groupby(["image", "servers"])["value"].nunique().eq(3).all()
    # Several guesses of one picture count as one picture.
    (metric,) = (m for m in record.metrics if (m.name, m.region) == ("RMSE", "hidden"))
    assert metric.n == 2
    worst = errors.groupby(["image", "servers"])["value"].mean().groupby("image").min()
    assert metric.value == pytest.approx(worst.mean())


@pytest.mark.long
@pytest.mark.slow
@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "folder"), [("coco", "coco"), pytest.param("folder", "photos", marks=pytest.mark.long)]
)
def test_real_photographs(run_small: Any, tmp_path: Path, name: str, folder: str) -> None:
    data = Path(__file__).parents[3] / "shared" / "data" / folder
    if not data.is_dir():
        pytest.skip(f"{data} is not there")
    dataset = {"name": name, "params": {"data": str(data)}, "limit": 2}
    done = run_small(tmp_path, report=True, dataset=dataset)
    assert {record.status for record in done.records} == {"ok"}
    report = (done.directory / "report.md").read_text()
    assert "mIoU[1 click]" in report if name == "coco" else "agreement" in report
    if name == "folder":
        agreed = done.values(done.of("on_device", "utility")[0])["value"]
        assert np.array_equal(agreed, np.ones(len(agreed)))


@pytest.mark.long
@pytest.mark.slow
def test_every_link_is_timed_and_changes_nothing_else(run_small: Any, tmp_path: Path) -> None:
    latency = {"samples": 2, "warmup": 1, "links": ["loopback", "lte"]}
    defenses = [{"name": name, "privacy": False} for name in ("on_device", "full_offload", "ped_sam")]
    done = run_small(tmp_path, latency=latency, defenses=defenses)
    assert {record.status for record in done.records} == {"ok"}
    for defense in ("on_device", "full_offload", "ped_sam"):
        plain, far = done.of(defense, "latency")
        assert (plain.cell["link"], far.cell["link"]) == ("loopback", "lte")
        if defense == "on_device":
            assert plain.metrics == far.metrics
            continue
        for way in ("wall p50", "turn-taking p50"):
            near, slow = ({m.region: m.value for m in r.metrics if m.name == way} for r in (plain, far))
            sent, came = (
                next(m.value for m in far.metrics if m.name == f"bytes {to}") for to in ("up", "down")
            )
            # 22 - 8 ms each way and the slower direction at its rate.
            least = 2 * 0.014 + max(sent * 8 / 8.6e6, came * 8 / 27.3e6)
            assert slow["end to end"] > near["end to end"] * 0.5 + least
            assert slow["uplink"] > 0.014
            assert slow["downlink"] > 0.014
        bytes_of = [[m for m in r.metrics if m.name.startswith("bytes")] for r in (plain, far)]
        assert bytes_of[0] == bytes_of[1]


@pytest.mark.long
def test_two_passes_replace_many_for_a_deterministic_defense(
    run_small: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pedbench.measure.bench import Bench

    requests = []
    run_one = Bench.run

    def counted(bench: Any, plan: Any, sample: Any, frame: Any, settings: Any = None) -> Any:
        # The warm-up does not count as a request.
        requests.extend([settings.request] if not sample.id.startswith("warm-up") else [])
        return run_one(bench, plan, sample, frame, settings)

    monkeypatch.setattr(Bench, "run", counted)
    changes = {
        "dataset": SCENES,
        "defenses": [{"name": "ped_sam"}],
        "attacks": ["mean_colour", {"name": "accumulate", "params": {"requests": 4}}],
    }
    few = run_small(tmp_path / "few", **changes)
    assert sorted(requests) == [0, 0, 1, 1]
    monkeypatch.setattr("pedbench.measure.one_defense._repeats", lambda *_: False)
    many = run_small(tmp_path / "many", **changes)
    assert sorted(requests[4:]) == [0, 0, 1, 1, 2, 2, 3, 3]
    for left, right in compare(few, many):
        pd.testing.assert_frame_equal(left, right)


def test_an_undeclared_random_defense_is_invalid(
    run_small: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pedbench.plugins.defenses.ped_sam import PedSam

    monkeypatch.setattr(PedSam, "randomised", False)
    run = run_small(
        tmp_path,
        plugins=["two_requests"],
        defenses=[{"name": "ped_sam", "params": {"assignment": "random"}}],
        attacks=["mean_colour", "two_requests"],
    )
    assert {record.status for record in run.records} == {"invalid"}
    assert "two requests with the same picture differ, and randomised is False" in run.records[0].reason


@pytest.mark.long
def test_a_slow_attack_guesses_the_first_pictures_from_the_worst_coalitions_as_without_limits(
    run_small: Any, tmp_path: Path
) -> None:
    """A limit on an attack's pictures also holds for guesses without a view, which the control needs."""

    def run(name: str, **limit: Any) -> Any:
        return run_small(
            tmp_path / name,
            plugins=["lucky"],
            report=True,
            defenses=[{"name": "random_payload"}],
            attacks=["mean_colour", {"name": "lucky", **limit}],
            latency={"samples": 1, "warmup": 1, "turn_taking": False},
        )

    limited, whole = run("limited", limit=1, slow=True), run("whole")
    by_rule = {
        record.cell["coalition"]["c"]: whole.values(record)
        for record in whole.of("random_payload", "privacy", "mean_colour")
    }
    for (few, many), one, other in zip(
        compare(limited, whole, images=None), limited.records, whole.records, strict=True
    ):
        first = sorted(set(many["image"]))[:1]
        is_limited = one.cell.get("attack", {}).get("name") == "lucky"
        assert is_limited == (one.cell_id != other.cell_id)
        expected = many
        if is_limited:
            # The fast attack learns most from them, by one of the distances.
            scouted = by_rule[one.cell["coalition"]["c"]]
            scouted = scouted[scouted["image"].isin(first) & scouted["metric"].str.startswith("leakage[")]
            most = scouted.loc[scouted.groupby("metric")["value"].idxmax(), "servers"]
            chosen = many["image"].isin(first) & many["servers"].isin(set(most))
            expected = many[chosen].reset_index(drop=True)
        pd.testing.assert_frame_equal(few, expected)
        if is_limited:
            assert "blind_advantage[RMSE]" in set(few["metric"])
            assert {metric.n for metric in one.metrics} == {1}
    table = pd.read_csv(limited.directory / "tables" / "combined.csv")
    assert table["leakage[RMSE]_c1_m3_attack"].tolist() == ["mean_colour"]


@pytest.mark.long
def test_values_lost_between_pictures_are_measured_again(
    run_small: Any, short_run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pedbench.measure.view_independent_baselines.MOST", 0)
    names = ["on_device", "full_offload", "ped_sam", "random_payload"]
    for kept, forgotten in compare(
        short_run, run_small(tmp_path, defenses=[{"name": name} for name in names])
    ):
        pd.testing.assert_frame_equal(kept, forgotten)
