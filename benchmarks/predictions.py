"""Label many images into a file, and again with a kill in between: memory, speed, and whether the files agree.

python benchmarks/predictions.py MODEL --images 1000000 --out /tmp/predictions

MODEL is a run folder. The images are a few small ones written again and again into one Parquet file.
"""

from __future__ import annotations

import argparse
import io
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from large_set import family, memory_of

DISTINCT = 1000
AT_A_TIME = 10_000  # rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path, help="a run folder")
    parser.add_argument("--images", type=int, default=1_000_000, help="default: 1,000,000")
    parser.add_argument("--out", type=Path, required=True, help="a new folder")
    options = parser.parse_args()
    options.out.mkdir(parents=True)
    inputs = write(options.out / "images.parquet", options.images)
    once, twice = options.out / "once.parquet", options.out / "twice.parquet"
    seconds, peak = label(options.model, inputs, once)
    label(options.model, inputs, twice, kill_after=0.5 * seconds)
    label(options.model, inputs, twice, "--resume")
    print(f"{options.images:,} images in {seconds:.0f} s, {options.images / seconds:,.0f} a second, {peak:.2f} GiB")
    same = once.read_bytes() == twice.read_bytes()
    print(f"after a kill and --resume the file is {'the same' if same else 'DIFFERENT'}")
    sys.exit(not same)


def write(file: Path, count: int) -> Path:
    """Write gray images of 8 x 8 pixels."""
    pixels = np.random.default_rng(0).integers(0, 256, (DISTINCT, 8, 8), dtype=np.uint8)
    encoded = []
    for one in pixels:
        buffer = io.BytesIO()
        Image.fromarray(one).save(buffer, "png")
        encoded.append(buffer.getvalue())
    schema = pa.schema({"image": pa.struct({"bytes": pa.binary(), "path": pa.string()})})
    with pq.ParquetWriter(file, schema) as writer:
        for first in range(0, count, AT_A_TIME):
            rows = range(first, min(count, first + AT_A_TIME))
            images = [{"bytes": encoded[row % DISTINCT], "path": f"{row:08d}.png"} for row in rows]
            writer.write_table(pa.table({"image": images}, schema))
    return file


def label(model: Path, inputs: Path, out: Path, *more: str, kill_after: float = float("inf")) -> tuple[float, float]:
    """Return the seconds that it took, and the most memory of all its processes in GiB."""
    began, peak = time.monotonic(), 0.0
    command = [sys.executable, "-m", "assay", "predict", str(model), str(inputs), "--out", str(out), *more]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    while process.poll() is None:
        peak = max(peak, sum(memory_of(one) for one in family(process.pid)))
        if time.monotonic() - began > kill_after:
            process.kill()
        time.sleep(0.2)
    if process.returncode != 0 and kill_after == float("inf"):
        sys.exit(f"assay predict ended with status {process.returncode}")
    return time.monotonic() - began, peak


if __name__ == "__main__":
    main()
