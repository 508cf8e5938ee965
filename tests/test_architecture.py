"""The house keeps its order: imports point downward, and the front door opens quickly."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest
from importlinter import cli as linter

HOME = Path(__file__).parents[1]


def test_imports_point_downward(monkeypatch, capsys) -> None:
    monkeypatch.chdir(HOME)
    assert linter.lint_imports(no_cache=True) == 0, capsys.readouterr().out


def python(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("module", ["assay", "assay.studies.execution.ray_task"])
def test_what_starts_quickly_does_not_import_torch(module: str) -> None:
    """A Ray worker only starts the processes of runs."""
    assert python(f"import sys, {module}; print('torch' in sys.modules)").strip() == "False"


def test_the_help_needs_none_of_the_heavy_libraries() -> None:
    code = """
import sys
from assay.cli import main
try:
    main(["--help"])
except SystemExit:
    pass
print(sorted({"torch", "numpy", "matplotlib", "pyarrow", "sklearn"} & set(sys.modules)), file=sys.stderr)
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "usage: assay" in result.stdout
    assert result.stderr.strip() == "[]"


def test_recipes_need_neither_torch_nor_numpy() -> None:
    code = "import sys, assay.recipe.named; print(sorted({'torch', 'numpy'} & set(sys.modules)))"
    assert python(code).strip() == "[]"


def test_every_public_name_is_there() -> None:
    import assay

    for name in assay.__all__:
        assert getattr(assay, name) is not None


def rooms_imported_by_rooms() -> set[tuple[str, str]]:
    """The pairs of rooms (parts of the package) of which the first imports the second."""
    pairs = set()
    for file in (HOME / "src/assay").rglob("*.py"):
        room = file.relative_to(HOME / "src/assay").with_suffix("").parts[0]
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("assay."):
                pairs.add((room, node.module.split(".")[1]))
    return pairs


def test_the_picture_shows_every_room_and_only_imports_that_there_are() -> None:
    text = (HOME / "docs/architecture.md").read_text()
    picture = re.search(r"```mermaid\n(.*?)```", text, re.DOTALL)
    assert picture
    arrows = re.findall(r"^ *(\w+)(?:\[.*?])? --> (\w+)", picture[1], re.MULTILINE)
    rooms = {folder.name for folder in (HOME / "src/assay").iterdir() if (folder / "__init__.py").exists()}
    assert {room for arrow in arrows for room in arrow} - {"api"} == rooms
    assert set(arrows) <= rooms_imported_by_rooms()


PAGES = sorted([*HOME.glob("*.md"), *(HOME / "docs").rglob("*.md"), *(HOME / "results").rglob("*.md")])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(HOME)))
def test_links_lead_to_files(page: Path) -> None:
    links = re.findall(r"]\(([^)#\s]+)", page.read_text())
    broken = [link for link in links if "://" not in link and not (page.parent / link).exists()]
    assert broken == []


def test_the_diff_in_contributing_is_in_the_code() -> None:
    diff = re.search(r"```diff\n(.*?)```", (HOME / "CONTRIBUTING.md").read_text(), re.DOTALL)
    assert diff
    lines: list[str] = []
    for line in diff[1].splitlines():
        if line.startswith("+++ b/"):
            lines = (HOME / line.removeprefix("+++ b/")).read_text().splitlines()
        elif not line.startswith("---"):
            assert line.removeprefix("+") in lines
