"""`pedbench new`: write a working plugin and its test."""

from __future__ import annotations

import importlib.util
import keyword
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from pedbench.cli.options import one_of
from pedbench.errors import suggestion
from pedbench.registry import Registry
from pedbench.registry.origins import BASES, KINDS, Kind

_SINGULARS = [base.lower() for base in BASES.values()]

_NAME = re.compile("[a-z][a-z0-9]*(_[a-z0-9]+)*")

_USE: dict[Kind, str] = {
    "attacks": "pedbench run proof{plugin} --attack nearest_pixel --attack {name}",
    "defenses": "pedbench run proof{plugin} --defense on_device --defense {name} "
    "--attack mean_colour --attack read_degraded",
    "datasets": "pedbench run proof{plugin} --dataset {name}",
    "metrics": "name it among a suite's metrics (docs/guide/suites.md)",
    "probes": "name it among a suite's probes (docs/guide/suites.md)",
    "codecs": "pedbench run proof --sweep ped_sam.payload={name}",
}
"""Command or sentence that says how to use a plugin of each kind."""


def new_plugin(
    kind: Annotated[
        str, typer.Argument(help=f"One of {', '.join(_SINGULARS)}.", autocompletion=one_of(*_SINGULARS))
    ],
    name: Annotated[str, typer.Argument(help="Name in snake_case, of the file and of the class.")],
    package: Annotated[bool, typer.Option("--package", help="Write an installable package.")] = False,
) -> None:
    """Write a working plugin and its test, to start from.

    The files are written into the current folder. Existing files are never overwritten.
    """
    plugin_kind = _kind(kind)
    _check_name(plugin_kind, name)
    files = _package_files(plugin_kind, name) if package else _plain_files(plugin_kind, name)
    for path in files:
        if path.exists():
            raise FileExistsError(f"{path} exists already; nothing was written.")
    for path, text in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        print(f"wrote {path}")
    print("Next:")
    for step in _steps(plugin_kind, name, package):
        print(f"  {step}")


def _steps(kind: Kind, name: str, package: bool) -> list[str]:
    if package:
        first = [f"cd {_distribution(name)}", "python -m pip install --editable .", f"pedbench check {name}"]
        return [*first, "python -m pytest", _USE[kind].format(name=name, plugin="")]
    use = _USE[kind].format(name=name, plugin=f" --plugin {name}.py")
    if kind == "codecs":
        use = "servers load codecs by name, so install it: see --package"
    return [f"pedbench check {name}.py", f"python -m pytest test_{name}.py", use]


def _distribution(name: str) -> str:
    return f"pedbench-{name.replace('_', '-')}"


def _kind(singular: str) -> Kind:
    known = {BASES[kind].lower(): kind for kind in KINDS}
    if singular not in known:
        raise ValueError(
            f"there is no kind of plugin {singular!r}{suggestion(singular, known)}. Known: {', '.join(known)}."
        )
    return known[singular]


def _check_name(kind: Kind, name: str) -> None:
    if not _NAME.fullmatch(name):
        raise ValueError(f"a plugin's name is in snake_case, such as gaussian_blur; found {name!r}.")
    if keyword.iskeyword(name) or name.startswith("test_"):
        reason = "is a Python keyword" if keyword.iskeyword(name) else "begins like the name of a test"
        raise ValueError(f"{name!r} {reason}: choose another name.")
    known = Registry().origins(kind)
    if name in known:
        raise ValueError(f"there is already a plugin {name!r}, {known[name]}: choose another name.")
    if name in sys.stdlib_module_names or _installed(name):
        raise ValueError(f"{name}.py would hide the module {name!r}: choose another name.")


def _installed(name: str) -> bool:
    spec = importlib.util.find_spec(name)
    return spec is not None and Path(spec.origin or "").parent != Path.cwd()


def _plain_files(kind: Kind, name: str) -> dict[Path, str]:
    words = _words(kind, name)
    return {
        Path(f"{name}.py"): _filled(f"{words['singular']}.py", words),
        Path(f"test_{name}.py"): _filled("test_file.py", words),
    }


def _package_files(kind: Kind, name: str) -> dict[Path, str]:
    words = _words(kind, name)
    root = Path(words["distribution"])
    return {
        root / "pyproject.toml": _filled("pyproject.toml", words),
        root / words["package"] / "__init__.py": f'"""The {words["singular"]} {name} for pedbench."""\n',
        root / words["package"] / f"{name}.py": _filled(f"{words['singular']}.py", words),
        root / "tests" / f"test_{name}.py": _filled("test_package.py", words),
    }


def _words(kind: Kind, name: str) -> dict[str, str]:
    return {
        "kind": kind,
        "singular": BASES[kind].lower(),
        "name": name,
        "title": name.replace("_", " "),
        "class_name": "".join(part.capitalize() for part in name.split("_")),
        "package": f"pedbench_{name}",
        "distribution": _distribution(name),
    }


def _filled(template: str, words: Mapping[str, str]) -> str:
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("pedbench.cli", "templates"),
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
        autoescape=False,
    )
    return environment.get_template(f"{template}.jinja").render(words)
