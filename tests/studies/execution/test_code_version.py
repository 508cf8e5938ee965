"""Each module that a run imports is part of the version of its code, or exempt for a reason."""

from importlib import metadata
from pathlib import Path

import pytest
from fresh_run import FreshRun

import assay
from assay.studies.execution import code_version as module
from assay.studies.execution.code_version import EXEMPT, ROOMS, code_version, is_hashed

HOME = Path(assay.__file__).parent


@pytest.mark.slow
@pytest.mark.xdist_group("processes")
def test_all_that_a_run_imports_is_hashed_or_exempt(fresh_run: FreshRun) -> None:
    names = [name.removeprefix("assay.") for name in fresh_run.imported if name.startswith("assay.")]
    assert {"run.run", "training.loop", "studies.execution.child"} <= set(names)
    parents = {name: [".".join(name.split(".")[:count]) for count in range(1, name.count(".") + 2)] for name in names}
    neither = [name for name in names if not is_hashed(name) and not EXEMPT.keys() & parents[name]]
    assert neither == []


def test_what_is_hashed_is_not_exempt() -> None:
    assert is_hashed("training.loop")
    assert is_hashed("recipe.recipe")
    assert is_hashed("run.__init__")
    assert not is_hashed("recipe.named.everyday")
    assert not is_hashed("run.folder")
    assert not is_hashed("studies.conduct")
    assert not is_hashed("pages.report.page")


@pytest.mark.parametrize("name", [*EXEMPT, *ROOMS])
def test_each_name_is_there(name: str) -> None:
    path = HOME.joinpath(*name.split("."))
    assert path.is_dir() or path.with_suffix(".py").is_file()


@pytest.mark.parametrize(("changed", "differs"), [("training/loop.py", True), ("run/folder.py", False)])
def test_only_what_is_hashed_changes_it(
    changed: str, differs: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for file in ("training/loop.py", "run/folder.py"):
        (tmp_path / file).parent.mkdir(parents=True)
        (tmp_path / file).write_text("before")
    monkeypatch.setattr(module, "__file__", str(tmp_path / "studies" / "execution" / "code_version.py"))
    before = code_version.__wrapped__()
    (tmp_path / changed).write_text("after")
    assert (code_version.__wrapped__() != before) is differs


@pytest.mark.parametrize("library", ["torch", "torchvision", "timm", "pillow", "numpy", "scikit-learn"])
def test_the_version_of_what_decides_pixels_or_numbers_is_in_it(library: str, monkeypatch: pytest.MonkeyPatch) -> None:
    before = code_version.__wrapped__()
    installed = metadata.version
    monkeypatch.setattr(module.metadata, "version", lambda name: "0.0" if name == library else installed(name))
    assert code_version.__wrapped__() != before
