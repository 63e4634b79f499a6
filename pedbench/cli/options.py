"""Arguments and options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

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
