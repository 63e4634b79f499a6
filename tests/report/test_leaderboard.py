"""The leaderboard: what stands together, what stands apart, and what foreign submissions cannot do."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import tomllib

from pedbench.cli import main
from pedbench.report.leaderboard.site import write_leaderboard
from pedbench.report.leaderboard.submission import read_card
from pedbench.results.verification import Verification, run_digest, write_verification
from tests.report.made_defenses import REFERENCE, Numbers, made_run

CARD = """name = {name!r}
authors = ["A. Author", "B. Author"]
link = "https://example.org/code?a=1&b=2"
date = 2030-01-{day:02}
"""

SOUND = Verification(
    run="",
    utc="2030-02-01T10:00:00+00:00",
    pedbench="0.2.0",
    seed=4711,
    random_seed=True,
    cells=30,
    pictures=4,
    tolerance=1e-3,
    problems=[],
    notes=["suite made: it is none of the published suites"],
    unchecked=[],
)

EDITS = {
    "later": ("version = 1", "version = 2"),
    "weaker": ('attacks = ["floor"]', 'attacks = ["other"]'),
}


@pytest.fixture(scope="module")
def submissions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folders of submissions: two may be compared, one has another version, one other attacks; two are refused."""
    path = tmp_path_factory.mktemp("submissions") / "in"
    for day, name in enumerate(["first", "second", "later", "weaker", "liar", "hostile"], 1):
        split = Numbers(name=f"split_{name}", iou=0.9 - 0.1 * day, words=None, wall=None)
        reference = replace(REFERENCE, words=None, wall=None)
        folder = made_run(path / name, [reference, split], pictures=2).directory
        (folder / "SUBMISSION.toml").write_text(CARD.format(name=f"<i>{name}", day=day))
        old, new = EDITS.get(name, ("", ""))
        (folder / "suite.toml").write_text((folder / "suite.toml").read_text().replace(old, new))
    (path.parent / "key").write_text("PRIVATE")
    (path / "hostile" / "SUBMISSION.toml").unlink()
    (path / "hostile" / "SUBMISSION.toml").symlink_to(path.parent / "key")
    return path


@pytest.fixture(scope="module")
def site(submissions: Path) -> Path:
    """The leaderboard of them, of which the first is verified; the reports are not random_seed."""
    out, outcomes = (submissions.with_name(name) for name in ("out", "outcomes"))
    for name, problems in (("first", []), ("liar", ["cell 7: <u>made up"])):
        outcome = replace(SOUND, run=run_digest(submissions / name), problems=problems)
        write_verification(outcomes / f"{name}.json", outcome)
    words = ["--out", str(out), "--verifications", str(outcomes)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pedbench.report.leaderboard.site.gather", lambda run: SimpleNamespace(figures=[]))
        patch.setattr("pedbench.report.leaderboard.site.page", lambda content, folder: "the report")
        with pytest.raises(SystemExit) as left:
            main(["leaderboard", *map(str, sorted(submissions.iterdir())), *words])
    assert left.value.code == 1
    return out


def test_only_what_may_be_compared_stands_together(site: Path) -> None:
    page = (site / "made-v1.html").read_text().partition('<section id="overview">')[2]
    together, apart = page.split("<h2>")[1:3]
    for slug, expected in {
        "first": (1, 0),
        "second": (1, 0),
        "weaker": (0, 1),
        "later": (0, 0),
        "liar": (0, 0),
    }.items():
        assert (f"split_{slug}" in together, f"split_{slug}" in apart) == expected
    assert apart.startswith("Other attacks than above<")
    assert "split_later" in (site / "made-v2.html").read_text()
    rows = re.findall(r"<tr>\n<td[^>]*><code>(\w+)</code></td>\n<td[^>]*>(.*?)</td>", together)
    assert ("split_first", "&lt;i&gt;first<br>verified") in rows
    assert ("split_second", "&lt;i&gt;second<br>not verified") in rows
    assert "seed 4711, 2030-02-01T10:00:00+00:00, by pedbench 0.2.0" in together
    assert '<strong class="open">not verified</strong>: nobody has verified it.' in together
    for slug in ("first", "second", "weaker"):
        assert (site / "runs" / slug / "report.html").read_text() == "the report"
        assert tomllib.loads((site / "runs" / slug / "SUBMISSION.toml").read_text())["name"] == f"<i>{slug}"


def test_what_is_refused_has_a_reason_and_no_numbers(site: Path) -> None:
    index = (site / "index.html").read_text()
    assert "made, version 1</a>: 3 submitted, 1 verified" in index
    assert "1 problems, the first: cell 7: &lt;u&gt;made up (seed 4711" in index
    assert "is a link out of the run" in index
    everything = "".join(path.read_text() for path in site.rglob("*") if path.is_file())
    assert "PRIVATE" not in everything
    assert "split_hostile" not in everything
    assert "split_liar" not in everything
    assert not re.search("<i>|<u>", "".join(path.read_text() for path in site.glob("*.html")))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"run": "0" * 64}, "the run has changed since"),
        ({"random_seed": False}, "may have known the seed"),
        ({"cells": 29}, "29 cells on 4 pictures"),
        ({"pictures": 3}, "30 cells on 3 pictures"),
        ({"tolerance": 0.1}, "the tolerance was 0.1"),
        ({"unchecked": ["suite made: no plan"]}, "suite made: no plan"),
        ({}, ""),
    ],
)
def test_a_verification_counts_for_its_run_and_sample(
    tmp_path: Path, change: Mapping[str, Any], reason: str
) -> None:
    (tmp_path / "values").mkdir()
    (tmp_path / "values" / "0-0000.parquet").write_bytes(b"1")
    outcome = replace(SOUND, **{"run": run_digest(tmp_path), **change})
    assert reason in (doubt := outcome.doubt(tmp_path))
    assert bool(doubt) == bool(reason)
    (tmp_path / "values" / "0-0000.parquet").write_bytes(b"2")
    assert "has changed" in outcome.doubt(tmp_path)


@pytest.mark.parametrize(
    ("edit", "reason"),
    [
        (lambda text: text.replace("https", "javascript"), "link: String should match"),
        (lambda text: text.replace("code", "'onclick"), "link: String should match"),
        (lambda text: text + 'note = "more"\n', "note: Extra inputs"),
        (lambda text: text.replace('"A. Author", "B. Author"', ""), "authors: List should have at least 1"),
        (lambda text: text.replace("2030-01-01", '"soon"'), "date: "),
        (lambda text: text + "#" * 10_000, "at most 10,000 bytes"),
        (lambda text: text + "[", "not a TOML file"),
    ],
)
def test_a_card_is_read_or_refused_with_the_place(
    tmp_path: Path, edit: Callable[[str], str], reason: str
) -> None:
    path = tmp_path / "SUBMISSION.toml"
    path.write_text(text := CARD.format(name="a name", day=1))
    assert read_card(tmp_path).authors == ["A. Author", "B. Author"]
    path.write_text(edit(text))
    with pytest.raises(ValueError, match=f"SUBMISSION.toml.*{reason}"):
        read_card(tmp_path)


def test_names_of_folders_are_names_of_files(tmp_path: Path) -> None:
    for folders, reason in (
        (["a", "b/a"], "several submissions are named a"),
        (["A b"], "is no name of a submission"),
    ):
        with pytest.raises(ValueError, match=reason):
            write_leaderboard([tmp_path / folder for folder in folders], tmp_path / "out", None)


@pytest.mark.slow
def test_lines_are_sorted_and_filtered(site: Path, browser: Any) -> None:
    browser.get((site / "made-v1.html").as_uri())
    assert [entry for entry in browser.get_log("browser") if entry["level"] != "INFO"] == []

    def shown() -> list[str]:
        cells = browser.find_elements("css selector", "#overview td:first-child")
        return [cell.text for cell in cells if cell.is_displayed()]

    assert shown() == ["whole", "split_first", "whole", "split_second", "whole", "split_weaker"]
    browser.find_element("css selector", "th:nth-child(3) button").click()
    assert shown()[:3] == ["split_second", "whole", "split_first"]
    browser.find_element("id", "verified-only").click()
    assert sorted(shown()) == ["split_first", "whole"]
    browser.find_element("css selector", "input[type=search]").send_keys("FIRST")
    assert sorted(shown()) == ["split_first", "whole"]
