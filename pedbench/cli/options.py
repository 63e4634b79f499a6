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
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", help="NAME.PARAMETER=VALUE: set a parameter of the plugin NAME; may be repeated."),
]
Quick = Annotated[bool, typer.Option("--quick", help="Only the suite's quick part.")]
Plugins = Annotated[list[Path] | None, typer.Option(help="A file or folder with further plugins.")]
Out = Annotated[Path, typer.Option(help="Folder that holds the runs.")]
