"""Run the default suite and print its report: the same as `pedbench run`."""

import sys

from pedbench.cli import main

if __name__ == "__main__":
    main(["run", *sys.argv[1:]])
