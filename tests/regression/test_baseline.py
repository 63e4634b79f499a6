"""Baselines as files, and the commands around them, on runs whose differences are known."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest

from pedbench.cli import main
from pedbench.regression.accept import accept
from pedbench.regression.baseline import about_path, changes_path, read_baseline
from pedbench.regression.measured import measured_run
from pedbench.suites.cell import PluginIdentity
from tests.regression.runs import ATTACKED, UTILITY, Made, attacked, utility, write_run

OBJECTS = np.random.default_rng(3).uniform(0.3, 0.95, (8, 6))
LEAKS = np.linspace(0.3, 0.6, 8)
NASTY = "a|b`c\n<script> \x07 _x_ é漢"


COMMITTED = Path(__file__).parents[2] / "reports" / "baselines"


def run(folder: Path, name: str, by: float = 0.0, **provenance: Any) -> Path:
    """A run whose IoUs are shifted."""
    odd = replace(ATTACKED, defense=PluginIdentity(name="blur", version=1, params={"note": NASTY}))
    made = [
        Made(cell=UTILITY, values=utility(OBJECTS + by), provenance=provenance),
        Made(cell=odd, values=attacked(LEAKS), provenance={**provenance, "utc": name}),
    ]
    return write_run(folder / name, made)


@pytest.fixture
def baseline(tmp_path: Path) -> Path:
    path = tmp_path / "kept" / "made-v1.jsonl"
    accept(
        run(tmp_path, "first"), [run(tmp_path, "again", 0.001, cpu_capability="DEFAULT")], path, "A start."
    )
    return path


def told(capsys: pytest.CaptureFixture[str], *arguments: Any) -> tuple[Any, str, str]:
    with pytest.raises(SystemExit) as left:
        main([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    return left.value.code, captured.out, captured.err


def test_a_baseline_holds_what_the_run_held(baseline: Path, tmp_path: Path) -> None:
    kept, about = read_baseline(baseline)
    measured = measured_run(tmp_path / "first")
    assert kept.run.suite == measured.run.suite
    for one, other in zip(kept.run.records, measured.run.records, strict=True):
        assert one == other
        pd.testing.assert_frame_equal(
            kept.values(one).reset_index(drop=True),
            measured.values(other),
            check_exact=True,
            check_dtype=False,
            check_categorical=False,
        )
    assert about["why"] == "A start."
    assert [each["level"] for each in about["runs"]] == ["this one, AVX2", "this one, DEFAULT"]
    metric = kept.run.records[0].metrics[0]
    assert (metric.name, metric.region) == ("mIoU[1 click]", "all")
    assert kept.tolerances.allowed(metric) == pytest.approx(0.002)


def test_the_gate_passes_within_the_tolerance_and_fails_beyond(
    baseline: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    summary, junit = tmp_path / "summary.md", tmp_path / "results" / "junit.xml"
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    status, out, _ = told(capsys, "gate", "--baseline", baseline, "--run", run(tmp_path, "near", -0.0019))
    assert status == 0
    assert "## Gate: passed" in out
    assert "Tolerances are what these repeats showed: 1 on this one, DEFAULT" in out
    worse = run(tmp_path, "far", -0.0021, sources={"blur": "b"})
    status, out, _ = told(capsys, "gate", "--baseline", baseline, "--run", worse, "--junit", junit)
    assert status == 1
    assert "## Gate: failed" in out
    assert "the source changed, the version did not: `blur`" in out
    (row,) = (
        line for line in out.splitlines() if line.startswith("| worse") and "mIoU[1 click], all" in line
    )
    assert "-0.0021" in row
    assert summary.read_text().count("## Gate: ") == 2
    suite = ElementTree.parse(junit).getroot()
    assert (suite.get("tests"), suite.get("failures")) == ("3", "1")
    (failure,) = suite.iter("failure")
    assert "worse mIoU[1 click] all" in str(failure.get("message"))
    names = [case.get("classname") for case in suite.iter("testcase")]
    assert names[0] == "run"
    assert any("<script>" in str(name) for name in names)


def test_an_improvement_fails_until_it_is_accepted(
    baseline: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    better, again = run(tmp_path, "better", 0.05), run(tmp_path, "better again", 0.05)
    status, out, _ = told(capsys, "gate", "--baseline", baseline, "--run", better)
    assert status == 1
    assert "**better**" in out
    words = ["accept-baseline", better, "--repeat", again, "--baseline", baseline, "--why", "It learnt."]
    status, out, _ = told(capsys, *words)
    assert status == 0
    diary = changes_path(baseline).read_text()
    first, second = diary.index(": A start."), diary.index(": It learnt.")
    assert "The first baseline." in diary[first:second]
    assert "| better" in diary[second:]
    assert out.strip() == diary[diary.rindex("## ") :].strip()
    assert told(capsys, "gate", "--baseline", baseline, "--run", better)[0] == 0
    # What was is now the worse.
    assert told(capsys, "gate", "--baseline", baseline, "--run", tmp_path / "first")[0] == 1


@pytest.mark.slow
def test_compare_shows_what_differs(
    baseline: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    far = run(tmp_path, "far", -0.03)
    for base in (baseline, tmp_path / "first"):
        status, out, _ = told(capsys, "compare", base, far)
        assert status == 0
        assert "| worse" in out
        assert "| same" not in out
    status, out, _ = told(capsys, "compare", tmp_path / "first", far, "--all")
    assert "| same" in out
    assert "mIoU[1 click], per picture" in out
    status, out, _ = told(capsys, "compare", tmp_path / "first", far, "--json")
    found = json.loads(out)
    assert (status, found["schema"]) == (0, 1)
    assert {line["verdict"] for line in found["lines"]} == found["verdicts"].keys() - {"same", "not judged"}
    (line,) = (
        each for each in found["lines"] if (each["metric"], each["region"]) == ("mIoU[1 click]", "all")
    )
    assert (line["verdict"], line["n"], line["defense"]) == ("worse", 8, "blur(sigma=0.02)")
    assert line["difference"] == pytest.approx(-0.03)
    assert line["new"] - line["base"] == pytest.approx(-0.03)


def test_what_is_no_baseline_is_refused_with_a_sentence(
    baseline: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = tmp_path / "first"

    def refused(*words: Any) -> str:
        status, _, err = told(capsys, *words)
        assert status == 2
        assert "Traceback" not in err
        return err

    gated = ["gate", "--run", first, "--baseline"]
    assert "there is no baseline nowhere.jsonl. Make one" in refused(*gated, "nowhere.jsonl")
    assert "names no baseline" in refused(*gated, tmp_path)
    assert "holds no run" in refused("gate", "--baseline", baseline, "--run", tmp_path)
    about = about_path(baseline)
    text = about.read_text()
    about.write_text(json.dumps({**json.loads(text), "schema": 9}))
    assert "has schema 9, pedbench here reads up to 1" in refused(*gated, baseline)
    about.write_text(text)
    baseline.write_text(baseline.read_text().replace('"n": 8', '"n": 7'))
    assert "is not what was accepted" in refused(*gated, baseline)
    about.unlink()
    assert "a part of the baseline" in refused(*gated, baseline)


def test_a_tolerance_raised_by_hand_is_noticed_and_one_raised_on_purpose_leaves_its_reason(
    baseline: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    about = about_path(baseline)
    text = about.read_text()
    far = run(tmp_path, "far", -0.0035)
    for field, value in {
        "why": "Another.",
        "accepted": "2031-01-01",
        "tolerances": [{**each, "levels": 1.0} for each in json.loads(text)["tolerances"]],
        "sha256": {
            suffix: text for suffix, text in json.loads(text)["sha256"].items() if "about" not in suffix
        },
    }.items():
        about.write_text(json.dumps({**json.loads(text), field: value}))
        status, _, err = told(capsys, "gate", "--baseline", baseline, "--run", far)
        assert (status, "made-v1.about.json is not what was accepted" in err) == (2, True), field
    about.write_text(text)
    assert told(capsys, "gate", "--baseline", baseline, "--run", far)[0] == 1
    words = ["set-tolerance", baseline, "--metric", "mIoU[1 click]", "--range", "0.002"]
    assert "no tolerance of 'mIoU[1 click]'" in told(capsys, *words, "--why", "Noise.")[2]
    assert "--why must say it" in told(capsys, *words, "--region", "all", "--why", " ")[2]
    for region in ("all", "ML"):
        assert told(capsys, *words, "--region", region, "--why", "Another camera.")[0] == 0
    assert ": Another camera." in changes_path(baseline).read_text()
    assert "0.001 -> 0.002: Another camera." in json.loads(about.read_text())["set"][0]
    assert told(capsys, "gate", "--baseline", baseline, "--run", far)[0] == 0


def test_what_cannot_become_a_baseline_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "made-v1.jsonl"
    first, again = run(tmp_path, "first"), run(tmp_path, "again")
    broken = write_run(tmp_path / "broken", [Made(cell=UTILITY, status="failed", reason="server 1 died")])
    for run_dir, repeats, why, sentence in (
        (first, [again], " ", "--why must say it"),
        (first, [], "Why.", "at least one --repeat"),
        (first, [first], "Why.", "it is the same run"),
        (broken, [again], "Why.", "1 failed or are invalid, first blur: server 1 died"),
        (first, [broken], "Why.", "is ok there and has failed here"),
        (first, [run(tmp_path, "other", sources={"blur": "b"})], "Why.", "other code .sources differ"),
    ):
        with pytest.raises(ValueError, match=sentence):
            accept(run_dir, repeats, path, why)
    assert not path.exists()


def test_the_committed_baseline_is_whole_and_small() -> None:
    path = COMMITTED / "mini-quick.jsonl"
    kept, about = read_baseline(path)
    assert (kept.run.suite.name, kept.run.suite.version, kept.run.pictures) == ("mini", 4, 8)
    assert {record.status for record in kept.run.records} <= {"ok", "skipped"}
    assert len({each["level"] for each in about["runs"]}) >= 2
    assert changes_path(path).is_file()
    assert sum(each.stat().st_size for each in path.parent.glob("mini-quick.*")) < 1.5e6
