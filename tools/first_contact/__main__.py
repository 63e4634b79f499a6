"""One step of a first contact, their list, or the page: `tools/first_contact.sh` calls this."""

from __future__ import annotations

import argparse
from pathlib import Path

from tools.first_contact.page import page
from tools.first_contact.setting import Setting
from tools.first_contact.steps import STEPS, take


def main() -> None:
    """Read the command line; print the names of all steps, take a step, or write and print the page."""
    parser = argparse.ArgumentParser(prog="python -m tools.first_contact", description=__doc__)
    parser.add_argument("action", choices=["list", *STEPS, "page"])
    parser.add_argument("--device", default="cuda", help="torch's name of the device")
    parser.add_argument("--folder", type=Path, default=Path(), help="folder of the results")
    parser.add_argument("--small", action="store_true", help="networks of two blocks, few pictures and steps")
    options = parser.parse_args()
    if options.action == "list":
        print("\n".join(STEPS))
    elif options.action == "page":
        text = page(options.folder, options.device)
        (options.folder / "page.md").write_text(text, encoding="utf-8")
        print(text)
    else:
        take(options.action, Setting(device=options.device, folder=options.folder, small=options.small))


if __name__ == "__main__":
    main()
