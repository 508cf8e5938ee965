"""Run whole tables: those of the reports, or your own, with seeds, intervals and verdicts.

assay study list             the named studies
assay study run NAME         run one, or what is missing of it; NAME may be a YAML file
assay study show NAME        its table again, in any form
assay study verify FOLDER    do one of its runs again, and compare
assay study search RECIPE    look for better values of a recipe's fields
"""

from __future__ import annotations

import argparse
from types import ModuleType

from assay.commands.study import list_studies, run, search, show, verify
from assay.commands.subcommands import add_subcommands

ACTIONS: dict[str, ModuleType] = {"list": list_studies, "run": run, "show": show, "verify": verify, "search": search}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add a parser for each action."""
    for name, action in add_subcommands(parser, "action", ACTIONS).items():
        ACTIONS[name].add_arguments(action)


def execute(options: argparse.Namespace) -> int:
    """Execute the chosen action; return its exit status."""
    status: int = ACTIONS[options.action].execute(options)
    return status
