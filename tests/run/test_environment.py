"""What a run says of where it ran."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from assay.run import environment as module


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A package in a folder of its own, which stands for this one."""
    (tmp_path / "src" / "run").mkdir(parents=True)
    (tmp_path / "src" / "run" / "environment.py").write_text("")
    monkeypatch.setattr(module, "__file__", str(tmp_path / "src" / "run" / "environment.py"))
    module.commit.cache_clear()
    yield tmp_path / "src"
    module.commit.cache_clear()


def git(folder: Path, *words: str) -> str:
    who = ("-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false")
    done = subprocess.run(["git", "-C", str(folder), *who, *words], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_the_commit_is_that_of_the_package_and_tells_of_changes(package: Path) -> None:
    assert module.commit.__wrapped__() is None  # no repository
    git(package.parent, "init", "-q")
    (package.parent / ".gitignore").write_text("src\n")
    git(package.parent, "add", ".gitignore")
    git(package.parent, "commit", "-qm", "another project's, in which the package is installed")
    assert module.commit.__wrapped__() is None
    git(package.parent, "add", "-f", "src")
    git(package.parent, "commit", "-qm", "the package's own")
    own = git(package, "rev-parse", "HEAD")
    assert module.commit.__wrapped__() == own
    (package.parent / "beside.txt").write_text("")
    assert module.commit.__wrapped__() == own
    (package / "run" / "environment.py").write_text("# changed")
    assert module.commit.__wrapped__() == f"{own} + changes"


def test_the_versions_that_are_in_a_runs_key_stand_in_its_environment() -> None:
    about = module.environment("cpu")
    assert set(module.LIBRARIES) <= about.keys()
    assert about["device"] == "cpu"
