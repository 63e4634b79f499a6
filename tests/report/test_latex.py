"""Tables for papers: what LaTeX would choke on is written so that it does not."""

from __future__ import annotations

import pytest

from pedbench.report.outputs.latex import booktabs, file_stem
from pedbench.report.words.text import code, escape, table


def test_table_is_a_tabular_with_the_rules_of_booktabs() -> None:
    lines = booktabs(
        table(["defense", "mIoU ↑"], [[code("ped_sam"), "**failed**"], [code("b"), "0.500"]])
    ).splitlines()
    assert lines == [
        r"\begin{tabular}{lr}",
        r"\toprule",
        r"defense & mIoU $\uparrow$ \\",
        r"\midrule",
        r"\texttt{ped\_sam} & \textbf{failed} \\",
        r"\texttt{b} & 0.500 \\",
        r"\bottomrule",
        r"\end{tabular}",
    ]


@pytest.mark.parametrize(
    ("plain", "latex"),
    [
        ("50 % of a&b", r"50 \% of a\&b"),
        ("a|b", "a|b"),
        (r"\input{x} $1 #2 ~ ^", r"\textbackslash{}input\{x\} \$1 \#2 \textasciitilde{} \textasciicircum{}"),
        ("<i>", "$<$i$>$"),
    ],
)
def test_foreign_text_stays_text(plain: str, latex: str) -> None:
    assert f"{latex} &" in booktabs(table(["a", "b"], [[escape(plain), "1"]]))


def test_files_are_named_after_titles() -> None:
    assert file_stem("Privacy Attacks, c = 1 (m = 3)") == "privacy_attacks_c_1_m_3"
