"""A disk that is full at any write: one line, nothing half-written, and the work goes on once there is room."""

from __future__ import annotations

import errno
import os
import random
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

import assay.pages.report.api as pages
from assay.analysis.figures import confusion, curves, gallery, style
from assay.cli import main
from assay.recipe.recipe import Recipe
from assay.run.run import run
from assay.studies.conduct import StudyObserver, conduct
from assay.studies.execution.local import Watch
from assay.studies.execution.store import Job, Outcome, Store
from assay.studies.folder import publish, write_plan
from assay.studies.plan import plan_study
from assay.studies.study import Row, Study
from assay.studies.table import make_table
from small_world import SMALL

TRAIN = ["train", "digits", *(f"--{name}={value}" for name, value in SMALL.items()), "--train.epochs=2"]
MakeFolder = Callable[..., Path]


class Disk:
    """Counts what is brought safely to the disk; it is full at the write of a chosen number, whose end is lost."""

    def __init__(self) -> None:
        self.writes = 0
        self.full_at = 0
        self._sync = os.fsync

    def sync(self, handle: int) -> None:
        self.writes += 1
        if self.writes == self.full_at:
            os.ftruncate(handle, max(0, os.fstat(handle).st_size - 5))
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self._sync(handle)

    def count(self, work: Callable[[], object]) -> int:
        """The number of writes of some work, where there is room."""
        self.writes, self.full_at = 0, 0
        work()
        return self.writes

    def fill_at(self, write: int) -> None:
        self.writes, self.full_at = 0, write


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Disk:
    made = Disk()
    monkeypatch.setattr(os, "fsync", made.sync)
    monkeypatch.chdir(tmp_path)
    return made


def some(count: int, most: int) -> list[int]:
    """Numbers of writes, from 1 on, drawn at random but the same each time; the first and the last are among them."""
    return sorted({1, count, *random.Random(0).sample(range(1, count + 1), min(most, count))})


def files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def refusal(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    capsys.readouterr()
    assert main(arguments) == 2
    line = capsys.readouterr().err
    assert line.startswith("assay: ")
    assert line.count("\n") == 1
    assert "No space left on device" in line
    return line


def test_a_training_goes_on(disk: Disk, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    writes = disk.count(lambda: main([*TRAIN, "--out=whole"]))
    assert writes > 10
    for write in some(writes, 5):
        folder = tmp_path / f"full-{write}"
        command = [*TRAIN, f"--out={folder}"]
        disk.fill_at(write)
        refusal(command, capsys)
        assert not [path for path in folder.rglob("*") if path.name.startswith(".")]
        has_begun = (folder / "recipe.yaml").exists()
        assert has_begun or not folder.exists()
        assert main([*command, *["--resume"] * has_begun]) == 0
        for name in ("model.safetensors", "metrics.jsonl"):
            assert (folder / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


@pytest.fixture
def quick_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """To draw takes longer than all the rest."""
    for module, name in (
        (confusion, "plot_confusion"),
        (curves, "plot_curves"),
        (gallery, "plot_mistakes"),
        (gallery, "plot_samples"),
    ):
        monkeypatch.setattr(module, name, lambda *_: None)
    monkeypatch.setattr(style, "figure_as", lambda kind, _figure: kind.encode())
    monkeypatch.setattr(pages, "build_page", lambda *_, **__: "page")


COMMANDS = (
    "evaluate run --out new/results",
    "predict run photos --out table.csv",
    "report run --out page.html",
    "check photos --out found.json",
)


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.usefixtures("quick_pictures")
def test_a_command_writes_all_or_nothing(
    command: str,
    disk: Disk,
    tmp_path: Path,
    finished_run: Path,
    make_folder: MakeFolder,
    capsys: pytest.CaptureFixture[str],
) -> None:
    shutil.copytree(finished_run, "run")
    make_folder(tmp_path / "photos", {"a": 2, "b": 2})
    before = files(tmp_path)
    writes = disk.count(lambda: main(command.split()))
    first = files(tmp_path)
    assert first.keys() > before.keys()
    for write in some(writes, 1):
        disk.fill_at(write)
        refusal(command.split(), capsys)
        assert files(tmp_path) == first
        for name in first.keys() - before.keys():
            Path(name).unlink()
        shutil.rmtree("new", ignore_errors=True)
        disk.fill_at(write)
        refusal(command.split(), capsys)
        assert files(tmp_path) == before
        assert not Path("new").exists()
        assert disk.count(lambda: main(command.split())) == writes
        assert files(tmp_path).keys() == first.keys()


def do_here(jobs: Sequence[Job], store: Store, watch: Watch) -> Iterator[tuple[Job, Outcome]]:
    """Do a study's jobs in this process, or the rest of them, as their own processes would."""
    for job in jobs:
        watch(job)
        folder = store.folder(job)
        run(store.recipe(job), folder, resume=(folder / "recipe.yaml").exists())
        store.note(job, Outcome("finished"))
        yield job, Outcome("finished")


def test_a_study_goes_on(disk: Disk, tmp_path: Path) -> None:
    base = Recipe().but({**SMALL, "data.size": 16})
    plan = plan_study(Study("small", "?", base, (Row("plain"), Row("slow", {"optim.lr": 0.01})), "plain"), seeds=(0,))

    def work(root: Path) -> None:
        write_plan(plan, root / "small", "small.yaml")
        results = conduct(plan, Store(root / "runs"), StudyObserver(), do_here)
        publish(make_table(results), "", root / "small")

    whole = tmp_path / "whole"
    for write in some(disk.count(lambda: work(whole)), 2):
        root = tmp_path / f"full-{write}"
        disk.fill_at(write)
        with pytest.raises(OSError, match="No space left on device"):
            work(root)
        assert not [path for path in root.rglob("*") if path.name.endswith(".tmp")]
        work(root)
        assert (root / "small" / "study.json").read_bytes() == (whole / "small" / "study.json").read_bytes()
        for log in whole.rglob("metrics.jsonl"):
            assert (root / log.relative_to(whole)).read_bytes() == log.read_bytes()
