"""Arguments and options that several commands share."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from pedbench.cli.names import plugin_names, suite_names

SuiteArgument = Annotated[
    str | None,
    typer.Argument(help="A suite's name or the path of a suite file.", autocompletion=suite_names),
]
SuiteOption = Annotated[
    str | None, typer.Option("--suite", help="The same as the argument.", autocompletion=suite_names)
]
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
_ROWS = f"{_NAMED}; a NAME alone keeps all of the suite's rows with it; may be repeated."
Defenses = Annotated[
    Names,
    typer.Option(
        "--defense",
        help=f"Only this defense, {_ROWS}",
        autocompletion=plugin_names("defenses"),
    ),
]
Attacks = Annotated[
    Names,
    typer.Option(
        "--attack",
        help=f"Only this attack, {_ROWS}",
        autocompletion=plugin_names("attacks"),
    ),
]
Metrics = Annotated[
    Names,
    typer.Option(
        "--metric",
        help=f"Only this metric, {_ROWS}",
        autocompletion=plugin_names("metrics"),
    ),
]
Dataset = Annotated[
    str | None,
    typer.Option(help=f"Dataset, {_NAMED}; by default the suite's.", autocompletion=plugin_names("datasets")),
]
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
Json = Annotated[bool, typer.Option("--json", help="Print JSON (docs/reference/command_line.md).")]

JSON_SCHEMA = 1
"""Version of the forms that `--json` prints; it grows when a key is removed or gets another meaning."""


def print_json(**content: Any) -> None:
    """Print what a command found as one JSON object, in ASCII.

    Raises:
        ValueError: A number is NaN or infinite.
    """
    print(json.dumps({"schema": JSON_SCHEMA, **content}, indent=2, allow_nan=False))


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
