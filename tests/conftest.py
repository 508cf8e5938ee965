"""What every test has: a cache of its own, one finished run for all, and small sets of images to read."""

from __future__ import annotations

import functools
import gc
import io
import itertools
import json
import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from filelock import FileLock
from hypothesis import settings
from PIL import Image

if TYPE_CHECKING:
    from killing import Warm

# Before torch is imported, and for the processes that tests start: steps as small as theirs gain nothing
# from a second thread, and wait long for it where the machine is busy.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# Where a test asks for more, they sleep while they wait, and do not spin.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
# Nor should each of the processes compile all modules anew.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# The same examples in each worker and in each run: a failure is the change's, never the day's.
settings.register_profile("the same each time", derandomize=True, database=None, deadline=None)
settings.load_profile("the same each time")


NUMBERS = itertools.count()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the slow tests first: one that began last would keep a single worker busy at the end."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)


def pytest_collection_finish() -> None:
    """Spare the garbage collector all that is imported by now: going through it took a twentieth of the time."""
    gc.freeze()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Give all tests of a group of files to one worker, and those of a file with fixtures of its own.

    That is what ``--dist loadgroup`` is for, but pytest-xdist 3.8 marks no test for it under pytest 9.2.
    """
    from xdist.scheduler import LoadGroupScheduling

    class Grouped(LoadGroupScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return group_of(nodeid.partition("::")[0]) or nodeid

    return Grouped(config, log)


@functools.cache
def group_of(file: str) -> str | None:
    """The group that a file of tests names, below the folder of the project; or itself where its fixtures are shared.

    Two workers would both make those.
    """
    text = (Path(__file__).parents[1] / file).read_text()
    found = re.search(r'xdist_group\("(\w+)"\)', text)
    return found[1] if found else file if 'scope="module"' in text else None


@pytest.fixture(scope="session")
def finished_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two epochs on digits, trained once for all workers; copy it to change it."""
    return train_once("digits", tmp_path_factory, {"train.epochs": 2, "train.threads": 1})


@pytest.fixture(scope="session")
def folded_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cross-validated run of one epoch on a few digits, trained once for all workers; copy it to change it."""
    few = {"train.epochs": 1, "train.threads": 1, "train.tensorboard": False, "data.train_images": 100}
    return train_once("folded", tmp_path_factory, {**few, "data.folds": 2})


def train_once(name: str, tmp_path_factory: pytest.TempPathFactory, changes: Mapping[str, Any]) -> Path:
    """The folder of a finished run of the recipe ``digits``."""
    import assay

    root = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        root = root.parent  # which the workers share
    folder = root / "finished" / name
    with FileLock(root / "finished.lock"), pytest.MonkeyPatch.context() as patch:
        patch.setenv("ASSAY_CACHE", str(root / "finished-cache"))
        if not (folder / "summary.json").exists():  # the last file that a run writes
            assay.train("digits", changes, out=folder, progress=False)
    return folder


@pytest.fixture(scope="session")
def warm_runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warm]:
    """Starts in no time what has its imports ready: runs, which may kill themselves, and Python programs."""
    import killing  # and with it torch, which not every test needs

    with killing.warm(tmp_path_factory.mktemp("cache"), killing.__file__, "run") as starter:
        yield starter


@pytest.fixture(autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache folder of the test's own, which is not there at its start: few tests need it, and there are thousands."""
    folder = tmp_path_factory.getbasetemp() / f"cache-{next(NUMBERS)}"
    monkeypatch.setenv("ASSAY_CACHE", str(folder))
    return folder


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Figures are made, and their files empty: laying out and drawing them is for the tests of each of them."""
    from matplotlib.figure import Figure  # which few tests need

    savefig = Figure.savefig

    def save(figure: Figure, *where: Any, **options: Any) -> None:
        figure.clear()
        figure.set_layout_engine("none")
        savefig(figure, *where, **{**options, "dpi": 20})

    monkeypatch.setattr(Figure, "savefig", save)


def noise(seed: int, height: int = 8, width: int = 8, channels: int = 3) -> np.ndarray:
    """A random picture, uint8 ``[height, width, 3]``, or ``[height, width]`` for one channel."""
    shape = (height, width, 3) if channels == 3 else (height, width)
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


@pytest.fixture
def picture() -> Callable[..., np.ndarray]:
    """A function that makes a random picture from a seed."""
    return noise


@pytest.fixture
def make_folder() -> Callable[..., Path]:
    """A function that fills a folder with PNG files: ``{"cat": 3, "test/dog": 2}`` says how many where."""

    def make(root: Path, counts: Mapping[str, int], *, channels: int = 3, side: int = 8) -> Path:
        seed = 0
        for folder, count in counts.items():
            (root / folder).mkdir(parents=True, exist_ok=True)
            for number in range(count):
                Image.fromarray(noise(seed, side, side, channels)).save(root / folder / f"{number:03d}.png")
                seed += 1
        return root

    return make


def png(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "png")
    return buffer.getvalue()


@pytest.fixture
def as_png() -> Callable[[np.ndarray], bytes]:
    """A function that encodes a picture."""
    return png


@pytest.fixture
def write_parquet() -> Callable[..., Path]:
    """A function that writes a Parquet file as the Hugging Face hub does.

    ``columns`` are the label columns; ``names`` the class names of some of them; ``images`` the
    column of images, by default structs of encoded noise without paths.
    """

    def write(
        file: Path,
        columns: Mapping[str, Sequence[Any] | pa.Array],
        *,
        names: Mapping[str, Sequence[str]] | None = None,
        images: Sequence[Any] | pa.Array | None = None,
        image_column: str = "image",
        side: int = 8,
    ) -> Path:
        file.parent.mkdir(parents=True, exist_ok=True)
        count = max(map(len, columns.values()), default=len(images or ()))
        if images is None:
            images = [{"bytes": png(noise(row, side, side)), "path": None} for row in range(count)]
        table = pa.table({image_column: images, **columns})
        if names is not None:
            labels = {column: {"names": list(texts), "_type": "ClassLabel"} for column, texts in names.items()}
            features = {image_column: {"_type": "Image"}, **labels}
            table = table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
        pq.write_table(table, file)
        return file

    return write
