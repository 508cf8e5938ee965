"""What a large table costs in time and memory, over runs that are made up but for one.

python benchmarks/large_table.py --grid 10 10 5 --seeds 10 --out /tmp/table
python benchmarks/large_table.py --only run report --out /tmp/table

The rows are all combinations of so many learning rates, weight decays and crops. One short run is done; all others but
the last are copies of it with other answers and accuracies. Then the study is run, which does the last one; its table
is made from the folders of the runs, and from runs.jsonl alone; and its page.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import yaml
from safetensors.numpy import save_file

from assay.base.json_files import read_json, write_json
from assay.run.run import run
from assay.studies.execution.store import Job, Store
from assay.studies.from_yaml import read_study
from assay.studies.plan import plan_study

CLASSES = 10
COMMANDS = {
    "run": "study run FILE --seeds SEEDS --out STUDIES",  # one run is missing
    "show": "study show STUDY",
    "from": "study show FILE --from STUDY",
    "runs": "study show STUDY --format runs",
    "report": "report STUDY --out PAGE",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--grid", type=int, nargs=3, default=[10, 10, 5], metavar="N", help="default: 10 10 5")
    parser.add_argument("--seeds", type=int, default=10, help="default: 10")
    parser.add_argument("--images", type=int, default=1000, help="that each run has answered (default: 1000)")
    parser.add_argument("--out", type=Path, required=True, help="a new folder")
    parser.add_argument("--only", nargs="+", choices=COMMANDS, default=COMMANDS, help="what to measure (default: all)")
    options = parser.parse_args()
    options.out.mkdir(parents=True)
    file, studies = write_study(options.out / "large.yaml", *options.grid), options.out / "studies"
    count = write_runs(file, options.seeds, options.images, Store(studies / "runs"))
    print(f"{np.prod(options.grid)} rows, {count} runs")
    places = {"FILE": file, "SEEDS": options.seeds, "STUDIES": studies, "STUDY": studies / "large-full"}
    places["PAGE"] = options.out / "page.html"
    for name in options.only:
        words = [places.get(word, word) for word in COMMANDS[name].split()]
        print(f"{COMMANDS[name]:43} {measured(words)}", flush=True)


def write_study(file: Path, rates: int, decays: int, crops: int) -> Path:
    factors = {
        "optim.lr": [round(0.01 * 1.2**step, 4) for step in range(rates)],
        "optim.weight_decay": [round(1e-5 * 2**step, 7) for step in range(decays)],
        "augment.crop": list(range(crops)),
    }
    base = {"data": {"size": 16}, "train": {"epochs": 3, "threads": 1, "batch_size": 200, "tensorboard": False}}
    file.write_text(yaml.safe_dump({"base": base, "design": "grid", "factors": factors}))
    return file


def write_runs(file: Path, seeds: int, images: int, store: Store) -> int:
    """Write all runs but the last, and return their number."""
    jobs = plan_study(read_study(file), seeds=range(seeds)).order()
    run(jobs[0].recipe, store.folder(jobs[0]))
    rng = np.random.default_rng(0)
    labels = rng.integers(0, CLASSES, images)
    for job in jobs[-2::-1]:  # the first one last, as it is what the others are copies of
        accuracy = 0.9 + 2 * job.recipe.optim.lr * rng.random()
        write_run(store, jobs[0], job, np.where(rng.random(images) < accuracy, labels, (labels + 1) % CLASSES), labels)
    return len(jobs)


def write_run(store: Store, first: Job, job: Job, answers: np.ndarray, labels: np.ndarray) -> None:
    source, folder = store.folder(first), store.folder(job)
    folder.mkdir(exist_ok=True)
    for name in ("env.json", "metrics.jsonl", "timings.jsonl"):
        with contextlib.suppress(shutil.SameFileError):
            shutil.copy(source / name, folder / name)
    (folder / "recipe.yaml").write_text(job.recipe.to_yaml())
    summary = read_json(source / "summary.json")
    summary["test"]["accuracy"] = float(np.mean(answers == labels))
    scores = np.eye(CLASSES, dtype=np.float32)[answers]
    save_file({"test.scores": scores, "test.labels": labels}, folder / "scores.safetensors")
    write_json(folder / "summary.json", summary)


def measured(words: Sequence[object]) -> str:
    """The processors' time, which does not depend on what else they do, and the most memory of a command."""
    process = subprocess.Popen([sys.executable, "-m", "assay", *map(str, words)], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    failed = f", status {process.returncode}" if process.returncode else ""
    return f"{usage.ru_utime + usage.ru_stime:6.1f} s {usage.ru_maxrss / 2**20:6.2f} GiB{failed}"


if __name__ == "__main__":
    main()
