"""Label images: files, folders, globs, zip and tar archives, Parquet files."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from assay.base.text import one_line
from assay.commands.data_flags import add_device, add_views, report_left_out
from assay.commands.printing import print_line


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """MODEL, INPUT... and the form of the output."""
    parser.add_argument("model", metavar="MODEL", type=Path, help="run folder or model.safetensors file")
    parser.add_argument("inputs", metavar="INPUT", nargs="+", help="image, folder, glob, .zip, .tar or .parquet")
    parser.add_argument(
        "--out", type=Path, metavar="FILE", help=".csv, .jsonl or .parquet (default: CSV to the screen)"
    )
    parser.add_argument(
        "--spreadsheet-safe", action="store_true", help="CSV: put ' before names that a spreadsheet takes for formulas"
    )
    parser.add_argument("--top", type=int, default=1, metavar="K", help="classes to name for each image (default: 1)")
    add_views(parser)
    add_device(parser)
    parser.add_argument(
        "--on-bad-image", default="error", metavar="error|skip", help="stop, or leave it out and exit 1"
    )


def execute(options: argparse.Namespace) -> int:
    """Predict and write; return 1 if images were left out."""
    from assay.api import predict
    from assay.base.row_files import check_format, check_place, spreadsheet_safe, to_csv, with_texts, write_rows

    if options.out is not None:
        check_format(options.out)  # before the model is loaded and the images are decoded
        check_place(options.out)
    if options.spreadsheet_safe and options.out is not None and options.out.suffix.lower() != ".csv":
        raise ValueError(f"--spreadsheet-safe is for CSV: {options.out} is another format")
    predictions = predict(
        options.model,
        options.inputs,
        top=options.top,
        views=options.views,
        on_bad_image=options.on_bad_image,
        device=options.device,
    )
    rows = [prediction.to_row() for prediction in predictions]
    if options.spreadsheet_safe:
        rows = spreadsheet_safe(rows)
    if options.out is None:
        # A terminal gets printable names; a file or another program gets them as they are.
        sys.stdout.write(to_csv(with_texts(rows, one_line) if sys.stdout.isatty() else rows).decode())
    else:
        write_rows(options.out, rows)
        print_line(f"{len(rows):,} predictions: {options.out}")
    return report_left_out(predictions.left_out)
