"""A parser for each command of the program, and for each action of a command."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from types import ModuleType


def add_subcommands(
    parser: argparse.ArgumentParser, dest: str, modules: Mapping[str, ModuleType]
) -> dict[str, argparse.ArgumentParser]:
    """Add a parser for each module, described by the module's docstring, without its arguments.

    Args:
        parser: of the program or the command.
        dest: the attribute of the options that holds the chosen name.
        modules: by the names that the user gives.
    """
    # The class that names the nearest choice.
    subparsers = parser.add_subparsers(dest=dest, required=True, metavar=dest.upper(), parser_class=type(parser))
    for name, module in modules.items():
        text = module.__doc__ or ""
        subparser = subparsers.add_parser(name, help=text.splitlines()[0], description=text, allow_abbrev=False)
        subparser.formatter_class = argparse.RawDescriptionHelpFormatter
        # --debug is valid after the name too; SUPPRESS keeps this default from overwriting one given before it.
        subparser.add_argument("--debug", action="store_true", default=argparse.SUPPRESS, help=argparse.SUPPRESS)
    return dict(subparsers.choices)
