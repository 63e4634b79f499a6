"""Arguments and options that several commands share, and the names that shells complete."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from pedbench.registry import Kind, Registry

_SUITES = Path(__file__).parents[1] / "suites"


def suite_names(incomplete: str = "") -> list[str]:
    """Return the names of the suites that pedbench brings and that begin with a text."""
    return sorted(file.stem for file in _SUITES.glob(f"{incomplete}*.toml"))


def plugin_names(*kinds: Kind) -> Callable[[typer.Context, str], list[str]]:
    """Return what completes the names of plugins of some kinds, of those that `--plugin` names too."""

    def complete(context: typer.Context, incomplete: str) -> list[str]:
        try:
            registry = Registry(context.params.get("plugin") or ())
            names = [name for kind in kinds for name in registry.origins(kind)]
        except (ValueError, OSError):
            # The command itself says what is wrong; here it would garble the line that is being typed.
            return []
        return [name for name in names if name.startswith(incomplete)]

    return complete


def one_of(*words: str) -> Callable[[str], list[str]]:
    """Return what completes one of some words."""
    return lambda incomplete: [word for word in words if word.startswith(incomplete)]


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


def _rows(word: str, kind: Kind) -> Any:
    return typer.Option(
        f"--{word}",
        help=f"Only this {word}, {_NAMED}; a NAME alone keeps all of the suite's rows with it; may be repeated.",
        autocompletion=plugin_names(kind),
    )


Defenses = Annotated[Names, _rows("defense", "defenses")]
Attacks = Annotated[Names, _rows("attack", "attacks")]
Metrics = Annotated[Names, _rows("metric", "metrics")]
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
