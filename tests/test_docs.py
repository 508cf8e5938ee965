"""What README shows of Python is run, and every command and option is written about."""

import argparse
import doctest
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

import assay.base.registry
from assay.cli import COMMANDS, build_parser
from assay.commands.fields import given_fields
from assay.recipe.fields import field_names
from assay.recipe.named import RECIPES
from assay.run.adapt import adapt

HOME = Path(__file__).parents[1]
README = (HOME / "README.md").read_text()
DOCUMENTS = "\n".join([README, *(path.read_text() for path in sorted((HOME / "docs").glob("*.md")))])


def blocks(kind: str) -> list[str]:
    """The fenced blocks of a language."""
    return re.findall(rf"^```{kind}\n(.*?)^```", README, flags=re.MULTILINE | re.DOTALL)


def shown_commands() -> list[str]:
    return [line.removeprefix("$ ") for block in blocks("console") for line in block.splitlines() if line[:2] == "$ "]


def test_the_first_screen_has_exactly_the_two_commands() -> None:
    first = "\n".join(README.splitlines()[:30])
    assert re.findall(r"^python3 .*?(?=\s+#|$)", first, flags=re.MULTILINE) == [
        "python3 start.py",
        "python3 start.py test",
    ]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_in_readme(command: str) -> None:
    assert any(line.startswith(f"assay {command}") for line in shown_commands())


def flags(parser: argparse.ArgumentParser, command: str = "assay") -> Iterator[tuple[str, str]]:
    """Yield the commands, actions included, with their flags; a recipe's fields have a table of their own."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, child in action.choices.items():
                yield from flags(child, f"{command} {name}")
        elif action.help != argparse.SUPPRESS:
            yield from ((command, flag) for flag in action.option_strings if flag[2:] not in field_names())


def test_every_action_and_flag_is_in_the_documents() -> None:
    known = set(flags(build_parser(list(COMMANDS))))
    assert {("assay", "--debug"), ("assay serve", "--port"), ("assay study search", "--over")} <= known
    for command in {command for command, _ in known} - {"assay", "assay study"}:
        assert any(line.startswith(command) for line in shown_commands()), command
    general = {"-h", "--help", "--version", "--debug"}  # what they do is what they do everywhere
    undocumented = {
        (command, flag)
        for command, flag in known
        if flag not in general and not re.search(rf"(?<![\w-]){flag}(?![\w.-])", DOCUMENTS)
    }
    assert undocumented == set()


@pytest.mark.parametrize("line", [line for line in shown_commands() if line.startswith("assay ")])
def test_every_shown_command_is_understood(line: str) -> None:
    words = shlex.split(line, comments=True)[1:]
    parser = build_parser(words)
    options, unknown = parser.parse_known_args(words)
    assert not unknown
    recipe = getattr(options, "recipe", "my-")
    if not recipe.startswith(("runs/", "my-")) and not recipe.endswith((".yaml", "/")):
        changed = adapt(RECIPES[recipe].recipe, given_fields(options)).recipe
        assert changed.train.select == "held-out" or "search" not in words


def test_the_python_tour_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    text = "\n".join(blocks("python"))
    assert ">>> " in text
    example = doctest.DocTestParser().get_doctest(text, {}, "README", "README.md", 0)
    result = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(example)
    assert result.failed == 0


def test_docstring_examples_of_choices() -> None:
    assert doctest.testmod(assay.base.registry) == (0, 1)


def test_files_named_in_the_documents_exist() -> None:
    for document in (HOME / "README.md", HOME / "docs" / "architecture.md"):
        for name in re.findall(r"\]\(([^)#:]+)\)", document.read_text()):
            assert (document.parent / name).exists(), f"{document.name} links to {name}"


def test_every_promise_names_tests_that_exist() -> None:
    document = HOME / "docs" / "promises.md"
    rows = re.findall(r"^\| (?!promise|-)(.+?) \| (.+) \|$", document.read_text(), flags=re.MULTILINE)
    assert len(rows) > 20
    for promise, tests in rows:
        named = re.findall(r"\[([\w/]+\.py)\]\(([^)]+)\)`::(\w+)`", tests)
        assert named, promise
        for shown, link, function in named:
            file = (document.parent / link).resolve()
            assert file == HOME / "tests" / shown
            assert f"def {function}(" in file.read_text(), f"{shown}::{function}"


CHOICES = (HOME / "docs" / "choices.md").read_text()


def test_the_table_of_choices_names_tests_that_exist() -> None:
    named = re.findall(r"`([\w/]+\.py)::(\w+)`", CHOICES)
    assert len(named) > 40
    for file, function in named:
        assert f"def {function}(" in (HOME / "tests" / file).read_text(), f"{file}::{function}"


def test_the_table_of_choices_names_every_choice() -> None:
    named = set(re.findall(r"`(\w+\.\w+)`", CHOICES))
    assert named <= set(field_names())
    choices = {
        name for name in field_names() if name.split(".")[0] in ("augment", "optim", "schedule", "loss", "transfer")
    }
    assert choices - named == set()
