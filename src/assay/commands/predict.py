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
    parser.add_argument("--resume", action="store_true", help="go on with a --out that was stopped")
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
    from assay.api import predict, predict_to_file
    from assay.base.row_files import spreadsheet_safe, to_csv, with_texts

    if options.spreadsheet_safe and options.out is not None and options.out.suffix.lower() != ".csv":
        raise ValueError(f"--spreadsheet-safe is for CSV: {options.out} is another format")
    how = {name: getattr(options, name) for name in ("top", "views", "on_bad_image", "device")}
    if options.out is not None:
        more = {"for_spreadsheets": options.spreadsheet_safe, "resume": options.resume}
        written = predict_to_file(options.model, options.inputs, options.out, **how, **more)
        print_line(f"{written.rows:,} predictions: {options.out}")
        return report_left_out(written.left_out)
    if options.resume:
        raise ValueError("--resume: which file to go on with? give it as --out")
    predictions = predict(options.model, options.inputs, **how)
    rows = [prediction.to_row() for prediction in predictions]
    if options.spreadsheet_safe:
        rows = spreadsheet_safe(rows)
    # A terminal gets printable names; another program gets them as they are.
    sys.stdout.write(to_csv(with_texts(rows, one_line) if sys.stdout.isatty() else rows).decode())
    return report_left_out(predictions.left_out)
