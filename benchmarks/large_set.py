"""Make a set of JPEG files that memory cannot hold, train on it, and measure the memory that the training takes.

python benchmarks/large_set.py --gib 20 --kind webdataset --out /tmp/large

Two hundred different images are written again and again. The training is stopped after a while and resumed; then the
batches from the middle of an epoch are made as the epoch comes to them and as a resumed run begins with them.
"""

from __future__ import annotations

import argparse
import io
import os
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from PIL import Image

CLASSES, DISTINCT = 10, 200
IN_A_SHARD = 1000  # images
GROUP = 100  # rows
FIELDS = "--data.size 64 --data.memory 0.5 --data.mean [0.5,0.5,0.5] --data.std [0.25,0.25,0.25] --data.held_out 0"
BATCH, STEPS = 32, 20  # that are compared


def main() -> None:
    options = parse()
    place = options.out / options.kind
    if not place.exists():
        make(place, options.kind, int(options.gib * 2**30), images(options.width))
    size = sum(file.stat().st_size for file in place.iterdir()) / 2**30
    print(f"{options.kind}: {size:.1f} GiB in {len(list(place.iterdir()))} files", flush=True)
    name, run = f"{options.kind}:{place}", options.out / f"run-{options.kind}"
    peaks = [train(name, run, options.seconds, more) for more in ([], ["--resume"])]
    same = resumed_batches_are_the_same(name, options.start)
    print(f"peak memory with its workers {peaks[0]:.2f} GiB, resumed {peaks[1]:.2f} GiB")
    print(f"{STEPS} batches from step {options.start} on are {'the same' if same else 'DIFFERENT'} after a resume")
    sys.exit(not same or max(peaks) > 2)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--gib", type=float, default=20.0, help="size of the set (default: 20)")
    parser.add_argument("--kind", choices=("webdataset", "parquet"), default="webdataset")
    parser.add_argument("--seconds", type=float, default=60.0, help="of training, each time (default: 60)")
    parser.add_argument("--start", type=int, default=20, help="step from which batches are compared (default: 20)")
    parser.add_argument("--width", type=int, default=1000, help="of an image, in pixels (default: 1000)")
    parser.add_argument("--out", type=Path, required=True, help="a folder; a set that is there is used again")
    return parser.parse_args()


def images(width: int) -> list[bytes]:
    """Photos of a kind: noise that has been enlarged, three quarters as high as wide."""
    chance = np.random.default_rng(0)
    encoded = []
    for _ in range(DISTINCT):
        buffer = io.BytesIO()
        noise = Image.fromarray(chance.integers(0, 256, (3 * width // 8, width // 2, 3), dtype=np.uint8))
        noise.resize((width, 3 * width // 4)).save(buffer, "jpeg", quality=85)
        encoded.append(buffer.getvalue())
    return encoded


def make(place: Path, kind: str, size: int, content: list[bytes]) -> None:
    place.mkdir(parents=True)
    count = max(2 * BATCH * STEPS, round(size / np.mean([len(one) for one in content])))
    for shard, first in enumerate(range(0, count, IN_A_SHARD)):
        rows = range(first, min(count, first + IN_A_SHARD))
        (write_tar if kind == "webdataset" else write_parquet)(place / f"train-{shard:05d}", rows, content)


def write_tar(stem: Path, rows: range, content: list[bytes]) -> None:
    with tarfile.open(stem.with_suffix(".tar"), "w") as archive:
        for row in rows:
            for ending, data in (("jpg", content[row % DISTINCT]), ("cls", str(row % CLASSES).encode())):
                member = tarfile.TarInfo(f"{row:08d}.{ending}")
                member.size = len(data)
                archive.addfile(member, io.BytesIO(data))


def write_parquet(stem: Path, rows: range, content: list[bytes]) -> None:
    encoded = [{"bytes": content[row % DISTINCT], "path": f"{row:08d}.jpg"} for row in rows]
    table = pa.table({"image": encoded, "label": [row % CLASSES for row in rows]})
    # As the hub writes them: no dictionary, which would keep the repeated images once.
    pq.write_table(table, stem.with_suffix(".parquet"), row_group_size=GROUP, use_dictionary=False)


def train(name: str, run: Path, seconds: float, more: list[str]) -> float:
    """Train for some seconds from the first checkpoint on; return the most memory of all its processes, in GiB."""
    checkpoint = run / "last.ckpt"
    before = checkpoint.stat().st_mtime if checkpoint.exists() else 0.0
    fields = [*FIELDS.split(), "--train.threads", "1", "--data.workers", "2", "--train.checkpoint_minutes", "0.1"]
    command = [sys.executable, "-m", "assay", "train", "simple-cnn", "--data.name", name, *fields]
    process = subprocess.Popen([*command, "--out", str(run), *more], stdout=subprocess.DEVNULL)
    peak, end = 0.0, float("inf")
    while process.poll() is None and time.monotonic() < end:
        peak = max(peak, sum(memory_of(one) for one in family(process.pid)))
        if end == float("inf") and checkpoint.exists() and checkpoint.stat().st_mtime > before:
            end = time.monotonic() + seconds
        time.sleep(0.2)
    process.send_signal(signal.SIGTERM)
    if process.wait() not in (0, 130):
        sys.exit(f"the training ended with status {process.returncode}")
    return peak


def family(process: int) -> Iterator[int]:
    """A process and all that it has started."""
    yield process
    for task in Path(f"/proc/{process}/task").glob("*/children"):
        for child in task.read_text().split():
            yield from family(int(child))


def memory_of(process: int) -> float:
    """The memory of a process in GiB, with its share of what several use; 0 if it has ended."""
    try:
        lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0) / 2**20


def resumed_batches_are_the_same(name: str, start: int) -> bool:
    from assay.data.batches import TrainBatches
    from assay.data.load import load_data
    from assay.data.preprocess import Normalize, Wanted
    from assay.data.sources import load_source
    from assay.data.split import Cut
    from assay.data.storage import Storage

    cpu = torch.device("cpu")
    wanted = Wanted(size=64, mean=(0.5, 0.5, 0.5), std=(0.25, 0.25, 0.25))
    source = load_source(name, memory=0.5)
    storage = Storage(cpu, memory=0.5, workers=os.cpu_count())
    data = load_data(source, wanted, cut=Cut(held_out=0, test=0), storage=storage)
    batches = TrainBatches(data.splits["train"], BATCH, Normalize(data.preprocessing, cpu, torch.contiguous_format))
    straight = (labelled for step, labelled in enumerate(batches.epoch(0)) if step >= start)
    resumed = batches.epoch(0, start)
    pairs = [(next(straight), next(resumed)) for _ in range(STEPS)]
    return all(torch.equal(a, b) for one, other in pairs for a, b in zip(one, other, strict=True))


if __name__ == "__main__":
    main()
