"""The command line: choose the command, run it, and turn its errors into a line and an exit status."""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Callable, Sequence
from functools import partial
from types import ModuleType
from typing import Any, NoReturn

from assay.base.allocator import keep_freed_memory
from assay.base.registry import nearest
from assay.base.text import one_line
from assay.base.user_errors import explain
from assay.commands import (
    bench,
    check,
    compare,
    errors,
    evaluate,
    find_lr,
    inspect,
    new,
    pack,
    predict,
    recipes,
    report,
    serve,
    study,
    train,
)
from assay.commands.subcommands import add_subcommands
from assay.run.launch import on_ranks, process_count
from assay.version import VERSION

DESCRIPTION = "Train CNN image classifiers fast, find out honestly which training choices help, and see why."
COMMANDS: dict[str, ModuleType] = {
    "new": new,
    "train": train,
    "evaluate": evaluate,
    "predict": predict,
    "find-lr": find_lr,
    "errors": errors,
    "inspect": inspect,
    "report": report,
    "serve": serve,
    "recipes": recipes,
    "study": study,
    "compare": compare,
    "check": check,
    "pack": pack,
    "bench": bench,
}

_FRUGAL = ("serve", "check")
"""give freed memory back: the one waits most of its life, the other is for sets that are larger than memory"""


class Parser(argparse.ArgumentParser):
    """Reports a mistake in one line that names the nearest valid choice, with exit status 2."""

    def error(self, message: str) -> NoReturn:
        """Print the message in one line and exit."""
        self.exit(2, f"assay: {one_line(' '.join(message.split()))}\n")

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is not None and value not in action.choices:
            name = "command" if action.dest == "command" else "/".join(action.option_strings) or action.dest
            choices = [str(choice) for choice in action.choices]
            raise argparse.ArgumentError(None, f"unknown {name} {value!r}: {nearest(str(value), choices)}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command.

    Args:
        arguments: without the program's name; by default those of the process.

    Returns:
        The exit status: 0; 1 if the data or a run has a fault; 2 for a mistake of the user; 130 if interrupted.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    parser = build_parser(given)
    for before, argument in zip(("", *given), given, strict=False):
        if re.fullmatch(r"|--[^=]*=", argument):  # what a shell makes of a variable that is not set
            parser.error(f"{argument.strip('=') or before}: followed by an empty text")
    options, unknown = parser.parse_known_args(given)  # so that the message can name the nearest option
    if unknown:
        parser.error(_describe_unknown(unknown[0], _chosen(parser, options)))
    options.given = given  # for commands that state how they were called
    if options.command not in _FRUGAL:
        keep_freed_memory()
    return _guarded(_in_processes, options)


def build_parser(given: Sequence[str]) -> Parser:
    """Return the parser with all commands, but only the flags of the given one, because adding them takes time."""
    # An abbreviation would break once another option begins like it.
    parser = Parser(prog="assay", description=DESCRIPTION, allow_abbrev=False)
    parser.add_argument("--version", action="version", version=f"assay {VERSION}")
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    for name, command in add_subcommands(parser, "command", COMMANDS).items():
        if name in given:  # also true of a value that equals a name, which costs time only
            COMMANDS[name].add_arguments(command)
    return parser


def _chosen(parser: argparse.ArgumentParser, options: argparse.Namespace) -> argparse.ArgumentParser:
    """Return the parser of the command that was given, or of its action."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            return _chosen(action.choices[getattr(options, action.dest)], options)
    return parser


def _describe_unknown(argument: str, command: argparse.ArgumentParser) -> str:
    """Return the message about an argument that the command does not know."""
    flag = argument.partition("=")[0]
    if not flag.startswith("-"):
        return f"unexpected argument {argument!r}"
    return f"unknown option {flag}: {nearest(flag, list(command._option_string_actions))}"


def _in_processes(options: argparse.Namespace) -> int:
    """Run the command in as many processes as are asked for, each of which says what went wrong in it."""
    execute: Callable[[argparse.Namespace], int] = COMMANDS[options.command].execute
    devices, started = getattr(options, "devices", None), process_count()
    if options.command != "train" and started > 1:
        if os.environ["RANK"] != "0":
            return 2  # the first says why
        raise ValueError(f"assay {options.command} works in one process: of all commands train alone shares its work")
    if devices is None:
        return execute(options)
    if started > 1:
        raise ValueError("--devices: torchrun has started the processes already; leave it out")
    return on_ranks(devices.count, partial(_guarded, execute, options))


def _guarded(execute: Callable[[argparse.Namespace], int], options: argparse.Namespace) -> int:
    """Run the command, and print an expected error as one line, or with ``--debug`` as a traceback."""
    try:
        status = execute(options)
        sys.stdout.flush()  # raises BrokenPipeError here and not at the exit, where it could not be caught
        return status
    except BrokenPipeError:  # the reader of our output, such as head, has ended
        # Python flushes once more at the exit, which must find a file that can be written.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        # As a shell reports a process that SIGINT ended: 128 + 2.
        print("assay: interrupted", file=sys.stderr)
        return 130
    except Exception as error:
        text = explain(error)
        if options.debug or text is None:
            raise
        print(f"assay: {text}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
