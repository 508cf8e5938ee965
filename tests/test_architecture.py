"""The house keeps its order: imports point downward, and the front door opens quickly."""

import subprocess
import sys
from pathlib import Path

from importlinter import cli as linter

HOME = Path(__file__).parents[1]


def test_imports_point_downward(monkeypatch, capsys) -> None:
    monkeypatch.chdir(HOME)
    assert linter.lint_imports(no_cache=True) == 0, capsys.readouterr().out


def python(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


def test_import_assay_does_not_import_torch() -> None:
    assert python("import sys, assay; print('torch' in sys.modules)").strip() == "False"


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
