"""What memory `assay check` takes with the number of images, in sets of small JPEGs that are made up.

python benchmarks/check_memory.py --kinds parquet webdataset --images 20000 80000 --out /tmp/check

For each kind of set, every number of images is checked by a process of its own, and so is their reading alone (a set's
names and labels). A line says the most memory that any process of it held; the last two numbers give the bytes for
each further image, and with them what 1.28 million images, as many as in ImageNet, would take.
"""

from __future__ import annotations

import argparse
import io
import os
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

CLASSES = 100
SIDE = 32  # pixels
COPIES = 1000  # every one of so many is a copy of the one before it
SHARD = 10_000  # images
IMAGENET = 1_281_167
PEAK = """
import resource, sys
from pathlib import Path
{work}
own = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM:"))
print(int(own.split()[1]), resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, file=sys.stderr)
"""
WORK = {
    "import": "import assay.api",
    "read": "from assay.data.sources import load_source; load_source(sys.argv[1], unlabelled='skip', memory=0)",
    "check": "from assay.cli import main; main(['check', sys.argv[1]])",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kinds", nargs="+", choices=WRITERS, default=list(WRITERS), help="default: all")
    parser.add_argument("--images", nargs=2, type=int, default=[20_000, 80_000], help="default: 20000 80000")
    parser.add_argument("--out", type=Path, required=True, help="a folder, in which sets that are there are kept")
    options = parser.parse_args()
    for kind in options.kinds:
        peaks: dict[str, list[int]] = {what: [] for what in WORK}
        for count in options.images:
            folder = options.out / f"{kind}-{count}"
            if not folder.exists():
                folder.mkdir(parents=True)
                WRITERS[kind](folder, count)
            for what, work in WORK.items():
                seconds, peak = measured(work, f"{kind}:{folder}")
                peaks[what].append(peak)
                print(f"{kind:10} {count:>9,} images  {what:6} {peak / 2**20:6.0f} MiB {seconds:7.1f} s", flush=True)
        for what, (small, large) in peaks.items():
            each = (large - small) / (options.images[1] - options.images[0])
            whole = large + each * (IMAGENET - options.images[1])
            print(
                f"{kind:10} {IMAGENET:>9,} images  {what:6} {whole / 2**20:6.0f} MiB: {each:.0f} bytes for each image"
            )


def class_of(row: int) -> str:
    return f"class{row % CLASSES:04d}"


def name_of(row: int) -> str:
    return f"{class_of(row)}/image_{row:08d}.jpg"


def jpegs(count: int) -> Iterator[bytes]:
    """Smooth random colours."""
    generator, content = np.random.default_rng(0), b""
    for number in range(count):
        if number % COPIES or not content:
            coarse = generator.integers(0, 256, (6, 6, 3), dtype=np.uint8)
            buffer = io.BytesIO()
            Image.fromarray(coarse).resize((SIDE, SIDE), Image.Resampling.BICUBIC).save(buffer, "jpeg")
            content = buffer.getvalue()
        yield content


def write_parquet(folder: Path, count: int) -> None:
    """As `assay pack` writes it: groups of 100 rows."""
    images = jpegs(count)
    for shard, start in enumerate(range(0, count, SHARD)):
        numbers = range(start, min(start + SHARD, count))
        rows = [{"image": {"bytes": next(images), "path": name_of(row)}, "label": class_of(row)} for row in numbers]
        pq.write_table(pa.Table.from_pylist(rows), folder / f"train-{shard:05d}.parquet", row_group_size=100)


def write_webdataset(folder: Path, count: int) -> None:
    """A `.jpg` and a `.cls` file for each image."""
    images = jpegs(count)
    for shard, start in enumerate(range(0, count, SHARD)):
        with tarfile.open(folder / f"train-{shard:05d}.tar", "w") as archive:
            for row in range(start, min(start + SHARD, count)):
                for ending, content in (("jpg", next(images)), ("cls", str(row % CLASSES).encode())):
                    member = tarfile.TarInfo(name_of(row).replace("jpg", ending))
                    member.size = len(content)
                    archive.addfile(member, io.BytesIO(content))


def write_folder(folder: Path, count: int) -> None:
    """A file for each image in a folder for each class."""
    for row, content in enumerate(jpegs(count)):
        place = folder / name_of(row)
        place.parent.mkdir(exist_ok=True)
        place.write_bytes(content)


def measured(work: str, name: str) -> tuple[float, int]:
    """Seconds, and the bytes that the largest of its processes held."""
    start = time.perf_counter()
    command = [sys.executable, "-c", PEAK.format(work=work), name]
    ended = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"ASSAY_CACHE": os.devnull})
    if ended.returncode:
        sys.exit(ended.stderr)
    return time.perf_counter() - start, max(map(int, ended.stderr.split())) * 1024


WRITERS = {"parquet": write_parquet, "webdataset": write_webdataset, "folder": write_folder}

if __name__ == "__main__":
    main()
