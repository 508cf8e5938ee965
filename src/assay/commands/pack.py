"""Copy a set of images into shards, a few large files that are fast to read and easy to move."""

from __future__ import annotations

import argparse
from pathlib import Path

from assay.commands.data_flags import report_left_out
from assay.commands.printing import print_line, print_table


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """DATA, the kind of shards and their place."""
    parser.add_argument(
        "data", metavar="DATA", help="a folder of class folders, Parquet or tar files, or a name (digits, cifar10...)"
    )
    parser.add_argument("--to", choices=("webdataset", "parquet"), default="webdataset", help="default: webdataset")
    parser.add_argument("--out", metavar="DIR", required=True, help="a new folder for the shards")
    parser.add_argument("--shard-size", type=int, default=256, metavar="MIB", help="of a shard (default: 256)")
    parser.add_argument(
        "--on-bad-image", choices=("error", "skip"), default="error", help="what to do with no image (default: error)"
    )
    parser.add_argument(
        "--shuffle", type=int, metavar="SEED", help="put the images of each split in a random order (default: keep it)"
    )
    parser.add_argument("--data.root", dest="root", metavar="DIR", type=Path, help="folder that holds the named sets")
    parser.add_argument("--data.label", dest="label", metavar="COLUMN", help="label column of a set in shards")
    parser.add_argument(
        "--data.unlabelled",
        dest="unlabelled",
        choices=("error", "skip"),
        default="error",
        help="what to do with an image without a label (default: error)",
    )


def execute(options: argparse.Namespace) -> int:
    """Pack, a line for each shard; 1 where an image was left out."""
    from assay.api import pack

    packed = pack(
        options.data,
        options.out,
        to=options.to,
        shard_size=options.shard_size,
        on_bad_image=options.on_bad_image,
        root=options.root,
        label=options.label,
        unlabelled=options.unlabelled,
        shuffle=options.shuffle,
        watch=lambda file, images: print_line(f"{file.name}  {images:,} images"),
    )
    for remark in packed.remarks:
        print_line(remark)
    sizes = {split: sum(file.stat().st_size for file in files) for split, files in packed.shards.items()}
    rows = [
        (split, f"{packed.images[split]:,}", f"{len(files):,}", f"{sizes[split] / 2**20:,.1f} MiB")
        for split, files in packed.shards.items()
    ]
    print_table(str(options.out), ("split", "images", "shards", "size"), rows)
    print_line(f"next: assay train RECIPE --data.name {options.to}:{options.out}")
    return report_left_out(packed.bad)
