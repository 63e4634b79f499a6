"""Controls, on made-up values: they can fail."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pedbench.results.records import Record, append_record, write_plan
from pedbench.results.run import load
from pedbench.results.run_directory import SUITE
from pedbench.results.values import write_values
from pedbench.suites.cell import Cell, CoalitionRule, PluginIdentity
from pedbench.suites.files import load_suite, to_toml
from pedbench.validity.controls import CONTROL, Control, controls

RULE = CoalitionRule(c=1, m=3)
ATTACK = PluginIdentity(name="reader", version=1)


def write(folder: Path, name: str, seen: pd.DataFrame, attacked: pd.DataFrame, **fate: Any) -> list[Control]:
    """A run of one defense that is the named control, with values of what was received and of one attack."""
    base = Cell(
        kind="privacy",
        dataset="scenes",
        revision="1",
        selection="0",
        model="mini",
        weights="0",
        defense=PluginIdentity(name="made", version=1),
        seed=0,
        coalition=RULE,
    )
    geometry, privacy = base, Cell(**(vars(base) | {"attack": ATTACK, "requests": 1}))
    write_plan(folder, [geometry.cell_id, privacy.cell_id])
    (folder / SUITE).write_text(to_toml(load_suite("proof")))
    for cell, values in ((geometry, seen), (privacy, attacked)):
        write_values(folder, cell.cell_id, 0, values)
        flags = (f"{CONTROL}{name}", "few pictures")
        record = Record(
            **({"cell_id": cell.cell_id, "cell": cell.as_dict(), "status": "ok", "flags": flags} | fate)
        )
        append_record(folder, record)
    return controls(load(folder))


def shares(value: float, pictures: int = 4) -> pd.DataFrame:
    images = [str(picture) for picture in range(pictures)]
    return pd.DataFrame({"image": images, "metric": "visible share", "servers": "0", "value": value})


def leakage(*values: float) -> pd.DataFrame:
    images = [str(picture) for picture in range(len(values))]
    return pd.DataFrame({"image": images, "metric": "leakage[SSIM]", "region": "whole", "value": values})


def gains(mean: float, spread: float, pictures: int) -> pd.DataFrame:
    """Advantages that exceed those of the blind run, of a wide spread themselves, by `mean` with `spread`."""
    rng = np.random.default_rng(0)
    noise = rng.normal(0, 1, pictures)
    gain = mean + spread * (noise - noise.mean()) / noise.std()
    blind = rng.normal(-1, 2, pictures)
    images = [str(picture) for picture in range(pictures)]
    frames = [
        pd.DataFrame({"image": images, "metric": name, "region": "hidden", "servers": "0", "value": value})
        for name, value in (("advantage[RMSE]", blind + gain), ("blind_advantage[RMSE]", blind))
    ]
    return pd.concat(frames)


@pytest.mark.parametrize(
    ("share", "found", "verdict", "words"),
    [
        (1.0, (1.0, 0.995), "holds", "at least 0.995"),
        (1.0, (1.0, 1.0, 0.98), "fails", "as low as 0.980 (reader, c = 1, leakage[SSIM], picture 2)"),
        (0.5, (1.0, 1.0), "fails", "a share of 0.500 counts as visible"),
    ],
)
def test_a_whole_picture_leaks(
    tmp_path: Path, share: float, found: tuple[float, ...], verdict: str, words: str
) -> None:
    (control,) = write(tmp_path, "whole picture", shares(share), leakage(*found))
    assert control.verdict == verdict
    assert words in control.detail


def test_nothing_sent_is_nothing_seen(tmp_path: Path) -> None:
    assert write(tmp_path, "nothing sent", shares(0.0), leakage(0.0))[0].verdict == "holds"
    (tmp_path / "2").mkdir()
    (control,) = write(tmp_path / "2", "nothing sent", shares(0.1), leakage(0.0))
    assert (control.verdict, control.detail) == (
        "fails",
        "nothing is sent, and the visible share reaches 0.100",
    )


def test_a_control_without_a_result_fails(tmp_path: Path) -> None:
    fate = {"status": "invalid", "reason": "a decoy depends on the picture"}
    (control,) = write(tmp_path, "decoy", shares(0.0), leakage(0.0), **fate)
    assert (control.verdict, control.detail) == ("fails", "invalid: a decoy depends on the picture")


@pytest.mark.parametrize(
    ("gain", "spread", "pictures", "verdict"),
    [
        (1.5, 0.5, 6, "holds"),
        # Surely more, and yet no more than another training would bring.
        (0.5, 0.1, 6, "open"),
        # Not shown: open while there are few pictures, and then no more.
        (0.1, 3.0, 6, "open"),
        (0.05, 1.0, 120, "fails"),
    ],
)
def test_mixed_tokens_tell_more_than_unmixed_ones(
    tmp_path: Path, gain: float, spread: float, pictures: int, verdict: str
) -> None:
    noise = np.random.default_rng(0).normal(0, 1, pictures)
    apart = gain + spread * (noise - noise.mean()) / noise.std()
    unmixed = np.random.default_rng(1).uniform(10, 20, pictures)
    runs = {"interleaved_offload": unmixed + apart, "ped_sam": unmixed}
    (tmp_path / SUITE).write_text(to_toml(load_suite("proof")))
    cells = {
        name: Cell(
            kind="privacy",
            dataset="scenes",
            revision="1",
            selection="0",
            model="mini",
            weights="0",
            defense=PluginIdentity(name=name, version=1, params={"servers": 3, "assignment": "dispersed"}),
            seed=0,
            coalition=RULE,
            attack=ATTACK,
            requests=1,
        )
        for name in runs
    }
    write_plan(tmp_path, [cell.cell_id for cell in cells.values()])
    for name, cell in cells.items():
        # Of two coalitions the one that learns most counts; the other must not be mixed up with it.
        values = pd.concat(
            pd.DataFrame(
                {
                    "image": [str(picture) for picture in range(pictures)],
                    "metric": "PSNR",
                    "region": "hidden",
                    "servers": str(server),
                    "value": runs[name] - 5 * server,
                }
            )
            for server in (0, 1)
        )
        write_values(tmp_path, cell.cell_id, 0, values)
        flags = (f"{CONTROL}mixed tokens",) if name == "interleaved_offload" else ()
        append_record(tmp_path, Record(cell_id=cell.cell_id, cell=cell.as_dict(), status="ok", flags=flags))
    (control,) = controls(load(tmp_path))
    assert control.verdict == verdict, control.detail
    assert f"hidden PSNR {gain:.2f} dB" in control.detail


@pytest.mark.parametrize(
    ("mean", "spread", "pictures", "verdict"),
    [
        (0.0, 0.0, 4, "holds"),
        (-0.2, 0.2, 30, "holds"),
        (0.1, 0.05, 10, "fails"),
        # Two pictures may both lie above the bound by chance.
        (0.1, 0.001, 2, "open"),
        # Not shown to gain, nor not to: open while there are few pictures, and then no more.
        (0.0, 0.2, 30, "open"),
        (0.0, 0.2, 120, "fails"),
    ],
)
def test_a_decoy_gains_an_attack_nothing(
    tmp_path: Path, mean: float, spread: float, pictures: int, verdict: str
) -> None:
    (control,) = write(tmp_path, "decoy", shares(0.0), gains(mean, spread, pictures))
    assert control.verdict == verdict, control.detail
    assert "reader, c = 1, advantage[RMSE]" in control.detail
