"""Run folders for pages: one that was trained for two epochs, and copies of it that differ from it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

LEFT_OUT = {"last.ckpt", "tb"}
CopyRun = Callable[..., Path]


@pytest.fixture(scope="session")
def trained(finished_run: Path) -> Path:
    """A finished run on digits; to be copied, not changed."""
    return finished_run


@pytest.fixture
def copy_run(trained: Path, tmp_path: Path) -> CopyRun:
    """A function that copies the run, less some files, with words of its recipe and of its summary replaced."""

    def copy(name: str, without: tuple[str, ...] = (), recipe: dict[str, str] | None = None, **summary: object) -> Path:
        folder = tmp_path / "runs" / name
        shutil.copytree(trained, folder, ignore=lambda *_: LEFT_OUT | set(without))
        text = (folder / "recipe.yaml").read_text()
        for old, new in (recipe or {}).items():
            assert old in text
            text = text.replace(old, new)
        (folder / "recipe.yaml").write_text(text)
        if summary:
            file = folder / "summary.json"
            file.write_text(json.dumps({**json.loads(file.read_text()), **summary}))
        return folder

    return copy
