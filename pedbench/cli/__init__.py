"""The command line: `pedbench COMMAND`. Every command imports what it needs only when it runs."""

from __future__ import annotations

import codecs
import io
import signal
import sys
from collections.abc import Sequence
from typing import Annotated, NoReturn

import typer

import pedbench
from pedbench.cli import (
    calibrate,
    check,
    commit_seed,
    compare,
    doctor,
    explore,
    fetch,
    keys,
    leaderboard,
    listing,
    new,
    plan,
    report,
    run,
    serve,
    train,
    verify,
)

app = typer.Typer(
    help="Measure what privacy defenses for offloaded vision gain and cost.",
    epilog="Also: calibrate, accept-baseline, set-tolerance and commit-seed. "
    "Add --debug to any command to see the traceback of an error.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _print_version(version: bool) -> None:
    if version:
        print(pedbench.__version__)
        raise typer.Exit


@app.callback()
def options_of_all(
    version: Annotated[
        bool,
        typer.Option("--version", help="Print the version and exit.", callback=_print_version, is_eager=True),
    ] = False,
) -> None:
    """Take the options before the command."""


app.command("list")(listing.list_plugins)
app.command("run")(run.run_suite)
app.command("new")(new.new_plugin)
app.command("report")(report.write_reports)
app.command("verify")(verify.verify_run)
app.command("leaderboard")(leaderboard.write_site)
app.command("check")(check.check_plugins)
app.command("doctor")(doctor.examine)
app.command("plan")(plan.plan_suite)
app.command("calibrate", hidden=True)(calibrate.keep_calibrations)
app.command("explore")(explore.explore)
app.command("serve")(serve.serve)
app.command("keys")(keys.make_keys)
app.command("compare")(compare.compare_runs)
app.command("gate")(compare.gate)
app.command("accept-baseline", hidden=True)(compare.accept_baseline)
app.command("set-tolerance", hidden=True)(compare.set_tolerance)
app.command("commit-seed", hidden=True)(commit_seed.commit_seed)
app.command("fetch")(fetch.fetch_files)
app.command("train")(train.train_network)


_PLAIN = {
    "↑": "^",
    "↓": "v",
    "≥": ">=",
    "\N{EN DASH}": "-",
    "…": "...",
    "─": "-",
    "²": "2",
    "±": "+-",
    "\N{MULTIPLICATION SIGN}": "x",
}
"""Marks of tables for terminals and files whose encoding lacks them."""


def _plain(error: UnicodeError) -> tuple[str, int]:
    """Replace what a stream's encoding lacks, as an error handler of `codecs`."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(_PLAIN.get(letter, "?") for letter in error.object[error.start : error.end]), error.end


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run a command and exit.

    The exit status is 0 after success, 1 when something that was run or checked failed, 2 when the input was wrong,
    130 after Ctrl-C and 143 after SIGTERM.

    Args:
        arguments: Command-line arguments; those of the process by default.
    """
    # What a run has started and written aside is cleared away.
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    argv = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in argv
    codecs.register_error("pedbench-plain", _plain)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="pedbench-plain")
    try:
        app(args=[argument for argument in argv if argument != "--debug"], prog_name="pedbench")
    except (ValueError, OSError) as error:
        if debug:
            raise
        from pedbench.host.console import harmless
        from pedbench.host.home import advice

        print(harmless(f"pedbench: {error}{advice(error)}"), file=sys.stderr)
        sys.exit(2)
    except ModuleNotFoundError as error:
        if debug or (error.name or "").startswith("pedbench"):
            raise
        from pedbench.host.requirements import remedy

        print(f"pedbench: {remedy(error)}", file=sys.stderr)
        sys.exit(2)
    sys.exit(0)
