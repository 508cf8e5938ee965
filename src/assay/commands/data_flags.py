"""Flags that several commands share: which labelled images, on which device, and what to do with bad ones."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from assay.commands.printing import print_line

if TYPE_CHECKING:
    from assay.classifier.split_request import SplitRequest
    from assay.data.images import BadImageError


def add_data(parser: argparse.ArgumentParser, of: str = "") -> None:
    """The flags of ``split_request``; ``of`` says which images may be bad if a command reads several kinds."""
    parser.add_argument("--data.name", dest="data", metavar="DATA", help="set of images (default: the model's own)")
    parser.add_argument("--data.root", dest="root", metavar="DIR", type=Path, help="folder that holds the named sets")
    parser.add_argument("--data.label", dest="label", metavar="COLUMN", help="label column of a Parquet set")
    parser.add_argument(
        "--split", default="test", metavar="SPLIT", help="train, held-out, test or out-of-fold (default: test)"
    )
    add_device(parser)
    text = f"{of}stop, or leave it out and exit 1 (default: of the model's own set as in its training, else error)"
    parser.add_argument("--on-bad-image", metavar="error|skip", help=text)
    text = "stop at an image without a label, or leave it out (default: likewise)"
    parser.add_argument("--data.unlabelled", dest="unlabelled", metavar="error|skip", help=text)
    text = "decoded images kept on disk: for files of the same times, of the same contents, or not (default: on)"
    parser.add_argument("--data.cache", dest="cache", default="on", metavar="on|verify|off", help=text)


def add_device(parser: argparse.ArgumentParser) -> None:
    """``--device``."""
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:N or mps")


def add_views(parser: argparse.ArgumentParser) -> None:
    """``--views``."""
    text = "test-time augmentation: none, flip, flip-shift, five-crop or ten-crop (default: the model's own)"
    parser.add_argument("--views", metavar="VIEWS", help=text)


def split_request(options: argparse.Namespace) -> SplitRequest:
    """Return the request for labelled images that the flags make."""
    from assay.classifier.split_request import SplitRequest

    return SplitRequest(
        options.split,
        options.data,
        options.root,
        options.label,
        options.on_bad_image,
        options.device,
        options.unlabelled,
        options.cache,
    )


def report_left_out(bad: Sequence[BadImageError]) -> int:
    """Print a line for each image that was left out, and return the exit status: 1 if there is one."""
    for error in bad:
        print_line(f"assay: left out: {error}", error=True)
    return 1 if bad else 0
