"""`python -m qa.site export DIR`: the site's Markdown as files, for any generator that reads Markdown."""

import argparse
from pathlib import Path

from qa import bank
from qa.site.generate import export, generate


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m qa.site", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("export", help="write every page as Markdown").add_argument("folder", type=Path, metavar="DIR")
    options = parser.parse_args()
    site = generate(bank.load())
    export(site, options.folder)
    print(f"{len(site.pages)} pages in {options.folder}")


if __name__ == "__main__":
    main()
