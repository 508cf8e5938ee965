"""Measure this machine: its limits, and assay's speed against the plain PyTorch loop, in one run.

assay bench --quick --out bench.json --plot bench.png
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from assay.commands.data_flags import add_device
from assay.commands.printing import print_line, print_table

if TYPE_CHECKING:
    from assay.run.benchmark.bench import Bench
    from assay.run.benchmark.gauge import Cost
    from assay.run.benchmark.labelling import LabellingCosts

_STEP_COLUMNS = ("recipe", "loop", "ms", "images/s", "of limit", "peak MB")
_LABEL_COLUMNS = ("ResNet-18 at 224", "images/s", "times the plain loop", "peak MB")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """``--quick``, ``--threads``, ``--device`` and where the results go."""
    parser.add_argument("--quick", action="store_true", help="smaller batches, fewer steps and files, one augmentation")
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
    from assay.run.benchmark.gauge import in_own_process

    # Now, not after the minutes of measuring.
    if options.out is not None:
        if options.out.suffix != ".json":
            raise ValueError(f"--out: {options.out} is not a .json file")
        check_place(options.out)
    if options.plot is not None:
        check_picture(options.plot)
    if options.threads is not None and options.threads < 1:
        raise ValueError(f"--threads: {options.threads} is not at least 1")
    found = bench(options.device, options.threads, QUICK if options.quick else FULL, print_line, in_own_process)
    print_bench(found)
    if options.out is not None:
        write_json(options.out, found.to_dict())
        print_line(f"figures: {options.out}")
    if options.plot is not None:
        save_figure(plot_bench(found), options.plot)
        print_line(f"plot: {options.plot}")
    return 0


def print_bench(found: Bench) -> None:
    """Print the machine, its limits, the steps, the augmentations and the labelling."""
    machine, limits = found.machine, found.limits
    name = machine["accelerator"] or machine["processor"]
    print_line(f"{name}, threads: {machine['threads']}, torch {machine['torch']}: copies {limits.copy:.1f} GB/s")
    rates = [(kind, f"{limits.convolution[kind]:,.0f}", f"{limits.product[kind]:,.0f}") for kind in limits.convolution]
    _print_figures("limits", ("type", "convolution, GFLOP/s", "matrix product, GFLOP/s"), rates)
    for kind, reason in limits.faults.items():
        print_line(f"{kind}: {reason}")
    _print_figures(f"steps of {found.steps[0].batch} images", _STEP_COLUMNS, _step_rows(found))
    _print_figures(
        "parts of a step of assay's, each by itself, ms", ("recipe", *found.steps[0].parts), _part_rows(found)
    )
    speeds = [
        (speed.name, f"{speed.torchvision:,.0f}", f"{speed.ours:,.0f}", f"{speed.ours / speed.torchvision:.1f}")
        for speed in found.augmentations
    ]
    _print_figures("augmentation, images/s", ("of 32x32", "torchvision, 2 workers", "assay", "ratio"), speeds)
    _print_figures(f"labelling of {found.labelling.images:,} JPEG files", _LABEL_COLUMNS, _label_rows(found.labelling))


def _step_rows(found: Bench) -> Iterator[tuple[str, ...]]:
    for steps in found.steps:
        ours = [(f"assay, {kind}", kind, cost) for kind, cost in steps.ours.items()]
        for loop, kind, cost in (*ours, ("plain", "fp32", steps.plain), ("plain, in memory", "fp32", steps.held)):
            share = found.share(steps, cost.seconds, kind)
            milliseconds = 1000 * cost.seconds
            time = f"{milliseconds:,.1f}" if milliseconds < 100 else f"{milliseconds:,.0f}"
            yield steps.recipe, loop, time, f"{steps.batch / cost.seconds:,.0f}", f"{share:.0%}", _megabytes(cost)


def _part_rows(found: Bench) -> Iterator[tuple[str, ...]]:
    for steps in found.steps:
        yield steps.recipe, *(f"{1000 * seconds:,.2f}" for seconds in steps.parts.values())


def _label_rows(found: LabellingCosts) -> Iterator[tuple[str, ...]]:
    named = {"assay": found.ours, "plain loop": found.plain, "plain loop, ONNX Runtime": found.onnx}
    for name, cost in named.items():
        if cost is None:
            yield name, "not installed", "", ""
        else:
            ratio = found.plain.seconds / cost.seconds
            yield name, f"{found.images / cost.seconds:,.1f}", f"{ratio:.2f}", _megabytes(cost)


def _megabytes(cost: Cost) -> str:
    return "unknown" if cost.peak is None else f"{cost.peak / 1e6:,.0f}"


def _print_figures(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    print_table(title, columns, list(rows), right=[name for name in columns[1:] if name != "loop"])
