"""Arguments and options that several commands share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

SuiteArgument = Annotated[str | None, typer.Argument(help="A suite's name or the path of a suite file.")]
SuiteOption = Annotated[str | None, typer.Option("--suite", help="The same as the argument.")]
Model = Annotated[
    str | None,
    typer.Option(help="Model family, or a folder with a SAM of transformers; by default the suite's."),
]
Data = Annotated[Path | None, typer.Option(help="Folder of the dataset.")]
Limit = Annotated[int | None, typer.Option(min=1, help="Only the first pictures.")]
Weights = Annotated[
    list[str] | None,
    typer.Option(help="NAME=FILE: weights of the family, such as fine-tuned=ped.pth; may be repeated."),
]
Names = list[str] | None
_NAMED = "NAME or 'NAME(PARAMETER=VALUE, ...)'"
Defenses = Annotated[Names, typer.Option("--defense", help=f"Only this defense, {_NAMED}; may be repeated.")]
Attacks = Annotated[Names, typer.Option("--attack", help=f"Only this attack, {_NAMED}; may be repeated.")]
Metrics = Annotated[Names, typer.Option("--metric", help=f"Only this metric, {_NAMED}; may be repeated.")]
Dataset = Annotated[str | None, typer.Option(help=f"Dataset, {_NAMED}; by default the suite's.")]
Sweeps = Annotated[
    Names, typer.Option("--sweep", help="DEFENSE.PARAMETER=VALUE,VALUE,...: run once per value.")
]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", help="NAME.PARAMETER=VALUE: set a parameter of the plugin NAME; may be repeated."),
]
Quick = Annotated[bool, typer.Option("--quick", help="Only the suite's quick part.")]
Plugins = Annotated[list[Path] | None, typer.Option(help="A file or folder with further plugins.")]
Out = Annotated[Path, typer.Option(help="Folder that holds the runs.")]


def selection(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return a command's parameters as those of `Overrides` and of `pedbench.run` that select.

    Raises:
        ValueError: A value of --weights has another form than NAME=FILE.
    """
    listed = ("defense", "attack", "metric", "sweep", "link")
    return {
        **{f"{name}s": parameters.get(name) or () for name in listed},
        **{name: parameters.get(name) for name in ("dataset", "data", "limit", "seed", "model")},
        "settings": parameters.get("settings") or (),
        "weights": _named_files(parameters.get("weights") or ()),
    }


def _named_files(values: Sequence[str]) -> dict[str, str]:
    """Parse the values of `--weights NAME=FILE` into files by name.

    Raises:
        ValueError: A value has another form.
    """
    files = {}
    for value in values:
        name, _, file = value.partition("=")
        if not (name and file):
            raise ValueError(f"--weights expects NAME=FILE, found {value!r}.")
        files[name] = file
    return files
