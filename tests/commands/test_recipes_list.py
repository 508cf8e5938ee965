"""`assay recipes` says by which code each figure was measured, and whether that is this code."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from assay.cli import main
from assay.recipe.named import RECIPES
from assay.studies.execution.code_version import code_version

OLDER = "* by another version of the code or its libraries: today's may give other figures"


def marked(printed: str) -> dict[str, str]:
    """The commit of each measured recipe, with the mark of an older one."""
    return dict(re.findall(r"^(\S+) .*  ([0-9a-f]{7}(?: \*)?) *$", printed, flags=re.MULTILINE))


def test_figures_of_other_code_are_marked(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("COLUMNS", "160")
    digits = RECIPES["digits"]
    assert digits.measured is not None
    ours = replace(digits, measured=replace(digits.measured, code=code_version()))
    monkeypatch.setitem(RECIPES, "digits", ours)
    assert main(["recipes"]) == 0
    printed = capsys.readouterr().out
    others = {name: f"{one.measured.commit} *" for name, one in RECIPES.items() if one.measured and name != "digits"}
    assert marked(printed) == {"digits": digits.measured.commit, **others}
    assert OLDER in printed
    for name in others:
        monkeypatch.delitem(RECIPES, name)
    assert main(["recipes"]) == 0
    assert OLDER not in capsys.readouterr().out
