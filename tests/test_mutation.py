"""The script that breaks lines at random: what it makes is Python, and it sees whether a test notices."""

from __future__ import annotations

import ast
import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

HOME = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def mutation() -> ModuleType:
    spec = importlib.util.spec_from_file_location("mutation", HOME / "benchmarks" / "mutation.py")
    assert spec
    assert spec.loader
    module = sys.modules["mutation"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_break_is_another_line_of_python(mutation: ModuleType) -> None:
    found = mutation.chosen(["base/statistics.py", "training/schedule.py"], count=100_000, seed=0)
    assert len(found) > 30
    assert len({(one.file, one.line) for one in found}) == len(found)
    for one in found:
        lines = (HOME / one.file).read_text().splitlines()
        assert lines[one.line - 1] == one.before != one.after
        ast.parse("\n".join([*lines[: one.line - 1], one.after, *lines[one.line :]]))


def test_the_seed_decides_what_is_broken(mutation: ModuleType) -> None:
    first, again, other = (mutation.chosen(["training"], count=5, seed=seed) for seed in (1, 1, 2))
    assert first == again != other


@pytest.mark.parametrize(
    ("own", "others", "noticed"),
    [
        ("double(2) == 4", "True", "tests/room/test_own.py::test_it"),
        ("double(0) == 0", "double(3) == 6", "tests/test_others.py::test_it"),
        ("double(0) == 0", "True", ""),
    ],
    ids=["by the room's own tests", "by another test", "by none"],
)
def test_a_break_is_noticed_where_a_test_fails(
    mutation: ModuleType, tmp_path: Path, own: str, others: str, noticed: str
) -> None:
    source = "def double(x: int) -> int:\n    return x * 2\n"
    for name, text in {
        "src/assay/__init__.py": "",
        "src/assay/room/__init__.py": "",
        "src/assay/room/code.py": source,
        "tests/room/test_own.py": f"from assay.room.code import double\ndef test_it(): assert {own}\n",
        "tests/test_others.py": f"from assay.room.code import double\ndef test_it(): assert {others}\n",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    broken = mutation.Break(Path("src/assay/room/code.py"), 2, "    return x * 2", "    return (x / 2)")
    assert mutation.failed(tmp_path, ["tests"], workers="0") == ""
    assert mutation.noticed_by(broken, ["tests"], tmp_path, workers="0") == noticed
    assert (tmp_path / "src/assay/room/code.py").read_text() == source
