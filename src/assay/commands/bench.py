"""Measure this machine: its limits, and assay's speed against the plain PyTorch loop, in one run.

assay bench --quick --out bench.json --plot bench.png
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from assay.commands.data_flags import add_device
from assay.commands.printing import print_line, print_table

if TYPE_CHECKING:
    from assay.run.benchmark.bench import Bench


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """``--quick``, ``--threads``, ``--device`` and where the results go."""
    parser.add_argument("--quick", action="store_true", help="smaller batches and fewer steps")
    parser.add_argument("--threads", type=int, metavar="N", help="CPU threads of one operation (default: torch's)")
    add_device(parser)
    parser.add_argument("--out", type=Path, metavar="FILE", help="write all figures: a .json file")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw the shares of the limit: a .png or .svg file")


def execute(options: argparse.Namespace) -> int:
    """Measure, print the tables, write the files."""
    from assay.analysis.figures.bench_plot import plot_bench
    from assay.analysis.figures.style import save_figure
    from assay.analysis.output import check_picture
    from assay.base.json_files import write_json
    from assay.base.row_files import check_place
    from assay.run.benchmark.bench import FULL, QUICK, bench

    # Now, not after the minutes of measuring.
    if options.out is not None:
        if options.out.suffix != ".json":
            raise ValueError(f"--out: {options.out} is not a .json file")
        check_place(options.out)
    if options.plot is not None:
        check_picture(options.plot)
    if options.threads is not None and options.threads < 1:
        raise ValueError(f"--threads: {options.threads} is not at least 1")
    found = bench(options.device, options.threads, QUICK if options.quick else FULL, print_line)
    print_bench(found)
    if options.out is not None:
        write_json(options.out, found.to_dict())
        print_line(f"figures: {options.out}")
    if options.plot is not None:
        save_figure(plot_bench(found), options.plot)
        print_line(f"plot: {options.plot}")
    return 0


def print_bench(found: Bench) -> None:
    """Print the machine, its limits and the steps."""
    machine, limits = found.machine, found.limits
    name = machine["accelerator"] or machine["processor"]
    print_line(f"{name}, threads: {machine['threads']}, torch {machine['torch']}: copies {limits.copy:.1f} GB/s")
    rates = [(kind, f"{limits.convolution[kind]:,.0f}", f"{limits.product[kind]:,.0f}") for kind in limits.convolution]
    heading = ("type", "convolution, GFLOP/s", "matrix product, GFLOP/s")
    print_table("limits", heading, rates, right=heading[1:])
    for kind, reason in limits.faults.items():
        print_line(f"{kind}: {reason}")
    rows = [
        (
            steps.recipe,
            f"{1000 * steps.seconds:,.0f}",
            f"{steps.batch / steps.seconds:,.0f}",
            f"{found.share(steps):.0%}",
            f"{steps.plain / steps.seconds:.2f}",
        )
        for steps in found.steps
    ]
    columns = ("recipe", "ms a step", "images/s", "of the fp32 limit", "times the plain loop")
    print_table(f"steps of {found.steps[0].batch} images", columns, rows, right=columns[1:])
