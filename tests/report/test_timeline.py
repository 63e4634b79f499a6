"""The pass that a report draws over time: which one, and each of its steps."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from pedbench.report.figures.timeline import timeline_figure
from pedbench.report.numbers.timeline import timeline
from pedbench.results.run import Run, load
from pedbench.results.values import write_values
from tests.report.made_defenses import Numbers, made_run


def with_steps(run: Run, servers: dict[str, int]) -> Run:
    """Add a step on each server to picture p of each defense, ending after p + server seconds; picture 3 is median."""
    for record in run.of_kind("latency"):
        rows: list[tuple[str, str, str, str, str, float]] = []
        pictures = sorted(run.values(record.cell_id)["image"].unique())
        for place, image in enumerate(pictures):
            rows.append((image, "", "", "wall", "end to end", 1.0 + (place - 3) ** 3))
            for server in range(servers[run.defense(record)]):
                rows.append((image, str(server), str(server + 1), "begins", "server", 0.5))
                rows.append((image, str(server), str(server + 1), "ends", "server", float(place + server)))
            rows += [(image, "", "0", "begins", "edge", 0.0), (image, "", "0", "ends", "edge", 0.5)]
        columns = ["image", "servers", "tag", "metric", "region", "value"]
        write_values(run.directory, record.cell_id, 0, pd.DataFrame(rows, columns=columns))
    return load(run.directory)


def test_the_median_pass_over_the_fewest_servers_above_one_is_drawn(tmp_path: Path) -> None:
    numbers = [Numbers(name=name, iou=0.5, leakage=0.2, wall=1.0) for name in ("whole", "many", "few")]
    run = with_steps(made_run(tmp_path / "run", numbers, pictures=7), {"whole": 1, "many": 9, "few": 3})
    steps = timeline(run)
    assert set(steps["defense"]) == {"few"}
    assert set(steps["image"]) == {"003"}
    on_servers = steps[steps["step"] == "server"].sort_values("server")
    assert list(on_servers["ends"]) == [3.0, 4.0, 5.0]
    drawing = timeline_figure(steps)
    assert drawing is not None
    (axes,) = drawing.figure.axes
    assert [label.get_text() for label in axes.get_yticklabels()] == [
        "edge",
        "server 0",
        "server 1",
        "server 2",
    ]
    assert sorted(round(bar.get_extents().x1) for bar in axes.patches) == sorted(
        round(axes.transData.transform((ends * 1e3, 0))[0]) for ends in steps["ends"]
    )


def test_runs_without_steps_have_no_such_figure(tmp_path: Path) -> None:
    run = made_run(tmp_path / "run", [Numbers(name="old", iou=0.5, leakage=0.2, wall=1.0)])
    assert timeline_figure(timeline(run)) is None
