"""A comparison as JUnit XML, which continuous integration shows test by test."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

from pedbench.regression.verdicts import Line
from pedbench.report.words.inline import inline_markdown
from pedbench.report.words.text import one_line
from pedbench.validity.controls import Control


def write_junit(path: Path, lines: Sequence[Line], broken: Sequence[Control]) -> None:
    """Write one test for each cell, and one for the run's controls."""
    cells: dict[str, list[Line]] = {}
    for line in lines:
        cells.setdefault(line.cell_id, []).append(line)
    suite = ElementTree.Element("testsuite", name="pedbench gate")
    _case(suite, "run", "controls", [str(control) for control in broken])
    for cell_id, numbers in cells.items():
        failures = [_sentence(line) for line in numbers if line.fails]
        _case(suite, numbers[0].defense, f"{inline_markdown(numbers[0].cell)} ({cell_id})", failures)
    tests = suite.findall("testcase")
    suite.set("tests", str(len(tests)))
    suite.set("failures", str(sum(test.find("failure") is not None for test in tests)))
    path.parent.mkdir(parents=True, exist_ok=True)
    ElementTree.ElementTree(suite).write(path, encoding="utf-8", xml_declaration=True)


def _case(suite: ElementTree.Element, group: str, name: str, failures: Sequence[str]) -> None:
    case = ElementTree.SubElement(suite, "testcase", classname=one_line(group), name=one_line(name))
    if failures:
        sentences = [one_line(failure) for failure in failures]
        ElementTree.SubElement(case, "failure", message=sentences[0]).text = "\n".join(sentences)


def _sentence(line: Line) -> str:
    number = f" {line.metric} {line.region}".rstrip()
    values = "" if line.base is None or line.new is None else f": {line.base:.6g} -> {line.new:.6g}"
    apart = "" if line.difference is None else f", difference {line.difference:+.3g}"
    allowed = "" if line.tolerance is None else f", tolerance {line.tolerance:.2g}"
    return f"{line.verdict}{number}{values}{apart}{allowed}{f' ({line.note})' if line.note else ''}"
