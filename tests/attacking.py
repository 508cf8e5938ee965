"""Files as a damaged disk, a careless editor or a stranger leaves them, given to the commands that read them.

A case is drawn by a ``random.Random``: which kind of file, what is done to it, and which command reads it. The answer
has to be an exit status of 0, 1 or 2, with one line on standard error where it is 2.
"""

from __future__ import annotations

import contextlib
import io
import shutil
import signal
import tempfile
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

from starlette.testclient import TestClient

from assay.analysis.errors.api import find_errors
from assay.base.user_errors import explain
from assay.cli import main
from assay.pages.report.collect import collect
from assay.pages.server.app import build_app
from assay.studies.named import find_study
from assay.studies.plan import plan_study
from mutating import (
    Mutate,
    mutate_bytes,
    mutate_checkpoint,
    mutate_json,
    mutate_lines,
    mutate_parquet,
    mutate_safetensors,
    mutate_tar,
    mutate_yaml,
    mutate_zip,
)

SECONDS, LONGEST_LINE = 60, 2000  # for an answer, on a busy machine; letters
Read = Callable[[], object]


def command(line: str) -> Read:
    """A reader that is a command of assay."""
    return lambda: main(line.split())


def plan(study: str) -> Read:
    """What ``assay study run`` does before anything is trained, which may take long for what is asked."""
    return lambda: plan_study(find_study(study)).order() and None


def report(folder: str) -> Read:
    """What ``assay report`` does before it draws."""
    return lambda: collect([Path(folder)]) and None


def visit(page: str) -> Read:
    """Ask the server for a page and the lists over its folder: what is damaged is named there, and hides no more."""

    def serve() -> None:
        visitor = TestClient(build_app(Path()), "http://127.0.0.1:8000", raise_server_exceptions=False)
        for address in ("/", "/api/runs", page):
            answer = visitor.get(address)
            if answer.status_code >= 500 or (answer.status_code != 200 and address != page):
                raise RuntimeError(f"{address}: {answer.status_code} {answer.text[:300]}")

    return serve


SHOW = command("study show study --from planned --format csv")
RESUME, REPORT = command("train run --resume"), report("run")
RUN_PAGE, CURVES, STUDY_PAGE = visit("/runs/run"), visit("/api/curves?run=run"), visit("/studies/planned")
PREDICT = command("predict run photo.png --out answers.csv")
ARCHIVED = "predict run more.{} --on-bad-image skip --out answers.csv"
KINDS: Mapping[str, tuple[str, Mutate, Sequence[Read]]] = {
    "recipe": ("run/recipe.yaml", mutate_yaml, [command("recipes show run/recipe.yaml"), RESUME, RUN_PAGE]),
    "study": ("study.yaml", mutate_yaml, [plan("study.yaml")]),
    "plan": ("planned/study.json", mutate_json, [SHOW, report("planned"), STUDY_PAGE]),
    "runs": ("planned/runs.jsonl", mutate_lines, [SHOW, report("planned"), STUDY_PAGE]),
    "grid": ("grid.yaml", mutate_yaml, [plan("grid.yaml")]),
    "metrics": ("run/metrics.jsonl", mutate_lines, [RESUME, REPORT, RUN_PAGE, CURVES]),
    "timings": ("run/timings.jsonl", mutate_lines, [RESUME, REPORT, RUN_PAGE, CURVES]),
    "summary": ("run/summary.json", mutate_json, [RESUME, REPORT, RUN_PAGE]),
    "environment": ("run/env.json", mutate_json, [RESUME, REPORT, RUN_PAGE]),
    "scores": ("run/scores.safetensors", mutate_safetensors, [lambda: find_errors([Path("run")])]),
    "checkpoint": ("run/last.ckpt", mutate_checkpoint, [RESUME]),
    "model": ("run/model.safetensors", mutate_safetensors, [PREDICT, lambda: find_errors([Path("run")]), RUN_PAGE]),
    "weights": ("weights.pth", mutate_checkpoint, [command("train few.yaml --model.pretrained weights.pth --out new")]),
    "parquet": ("set.parquet", mutate_parquet, [command("check set.parquet"), command("train set.yaml --out new")]),
    "shard": ("shards/train-00000.tar", mutate_tar, [command("check shards"), command("train shards.yaml --out new")]),
    "zip": ("more.zip", mutate_zip, [command(ARCHIVED.format("zip"))]),
    "tar": ("more.tar.gz", mutate_tar, [command(ARCHIVED.format("tar.gz"))]),
    **{
        f"image.{kind}": (f"photo.{kind}", mutate_bytes, [command(f"predict run photo.{kind} --out answers.csv")])
        for kind in ("png", "jpg", "tif", "gif", "bmp", "webp")
    },
}


@dataclass(frozen=True)
class Case:
    """A mutated file and the reader that gets it."""

    kind: str
    content: bytes
    read: Read


def draw(world: Path, kind: str, chance: Random) -> Case:
    """Draw what is done to a file of the world."""
    file, mutate, readers = KINDS[kind]
    return Case(kind, mutate((world / file).read_bytes(), chance), chance.choice(readers))


def fault_of(case: Case, world: Path, *, may_refuse: bool = True) -> str:
    """Give the file to its reader, in a copy of the world; return what is wrong with the answer, or nothing."""
    with tempfile.TemporaryDirectory() as place, contextlib.chdir(place):
        shutil.copytree(world, place, dirs_exist_ok=True)
        Path(KINDS[case.kind][0]).write_bytes(case.content)
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), _time_limit():
            try:
                status = case.read()
            except SystemExit as leave:
                status = leave.code
            except (ValueError, OSError) as refusal:  # of the library, which a command prints
                status = 2
                print(f"assay: {explain(refusal)}", file=err)
            except BaseException:
                return traceback.format_exc()
        status = status if isinstance(status, int) else 0
        return _fault(status, err.getvalue()) if may_refuse or not status else err.getvalue()


def _fault(status: int, printed: str) -> str:
    if status not in (0, 1, 2):
        return f"exit status {status}: {printed}"
    if status == 2 and not (printed.startswith("assay: ") and printed.count("\n") == 1):
        return f"not one line: {printed}"
    if printed.startswith("assay: out of memory"):
        return f"as much memory as a damaged file asks for: {printed}"
    return f"a line of {len(printed)} letters: {printed}" if status == 2 and len(printed) > LONGEST_LINE else ""


@contextlib.contextmanager
def _time_limit() -> Iterator[None]:
    def end(*_: object) -> None:
        raise TimeoutError(f"no answer in {SECONDS} s")

    before = signal.signal(signal.SIGALRM, end)
    signal.alarm(SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
