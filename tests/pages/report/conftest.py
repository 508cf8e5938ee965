"""Run folders for pages: one that was trained for two epochs, and copies of it that differ from it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

import assay

LEFT_OUT = {"last.ckpt", "tb"}
CopyRun = Callable[..., Path]


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run on digits."""
    changes = {"train.epochs": 2, "train.batch_size": 100, "train.threads": 1}
    return assay.train("digits", changes, out=tmp_path_factory.mktemp("runs") / "digits", progress=False).folder


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
