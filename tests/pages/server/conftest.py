"""A folder with a finished run and one that trains, and a browser's view of it."""

import io
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient
from visits import visit


@pytest.fixture(scope="session")
def trained(finished_run: Path) -> Path:
    """A finished run on digits; to be copied, not changed."""
    return finished_run


@pytest.fixture
def runs(trained: Path, tmp_path: Path) -> Path:
    """A folder that holds ``digits``, finished, and ``group/second``, which has done one epoch of two."""
    root = tmp_path / "served"
    shutil.copytree(trained, root / "digits")
    shutil.copytree(trained, root / "group" / "second", ignore=shutil.ignore_patterns("model*", "summary*", "scores*"))
    for name in ("metrics.jsonl", "timings.jsonl"):
        log = root / "group" / "second" / name
        log.write_text(log.read_text().splitlines(keepends=True)[0])
    (tmp_path / "secret.txt").write_text("secret")
    return root


@pytest.fixture
def client(runs: Path) -> TestClient:
    """A browser on this machine; an error of the server becomes an answer."""
    return visit(runs)


@pytest.fixture
def seven() -> bytes:
    """A PNG file of 28x28 grey pixels: a seven, more or less."""
    pixels = np.zeros((28, 28), np.uint8)
    pixels[4:7, 6:22] = 255
    for row in range(7, 25):
        column = 20 - (row - 7) // 2
        pixels[row, column - 1 : column + 2] = 255
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "png")
    return buffer.getvalue()
