"""Command line: `python -m pedbench` is the same as `pedbench`."""

from pedbench.cli import main

main()
