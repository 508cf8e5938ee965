"""Look inside a classifier: kernels, weights, feature maps, class activation maps, receptive fields, costs.

assay inspect runs/digits --against runs/digits-l2 --image photo.png --layer features.3
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from assay.base.text import one_line
from assay.commands.data_flags import add_data, report_left_out, split_request
from assay.commands.printing import plain_console, print_files, print_table

if TYPE_CHECKING:
    from assay.analysis.inspection.layers import LayerCost
    from assay.classifier.input_comparison import InputField


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add MODEL, what to look at, and where the pictures go."""
    parser.add_argument("model", metavar="MODEL", type=Path, help="run folder or model.safetensors file")
    parser.add_argument("--against", metavar="MODEL", type=Path, help="another one, whose weights to compare")
    parser.add_argument(
        "--image",
        dest="images",
        metavar="FILE",
        type=Path,
        action="append",
        default=[],
        help="a picture to look at, as predict takes it; may be repeated (default: some mistakes of the model)",
    )
    parser.add_argument(
        "--layer",
        dest="layers",
        metavar="NAME",
        action="append",
        default=[],
        help="whose feature maps and receptive field to draw; may be repeated (default: the first activation)",
    )
    parser.add_argument(
        "--mistakes", type=int, metavar="N", help="misclassified images to look at, 0 to 15 (default: 3)"
    )
    add_data(parser, "of the set: ")
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="folder of results (default: inspection beside the model)"
    )
    parser.add_argument("--format", default="png,svg", metavar="png,svg", help="of the pictures (default: both)")


def execute(options: argparse.Namespace) -> int:
    """Inspect, print the costs and the names of the files; 1 where images were left out."""
    from assay.analysis.inspection.api import inspect

    found = inspect(
        options.model,
        against=options.against,
        images=options.images,
        layers=options.layers,
        mistakes=options.mistakes,
        out=options.out,
        formats=options.format.split(","),
        data=split_request(options),
    )
    print_inputs(found.inputs, f"{options.model}: input")
    print_costs(found.layers, f"{options.model}: layers")
    print_files(found.folder, found.files)
    return report_left_out(found.left_out)


def print_inputs(fields: Sequence[InputField], title: str) -> None:
    """Print what the pretrained weights want of the input beside what is used; nothing where there were none."""
    rows = [(row.name, row.wanted or "-", row.used or "-", "differs" * row.differs) for row in fields]
    print_table(title, ("", "of the pretrained weights", "used", " "), rows)


def print_costs(layers: Sequence[LayerCost], title: str) -> None:
    """Print a row for each layer, and the sums."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    parameters, flops = (sum(getattr(layer, what) for layer in layers) for what in ("parameters", "flops"))
    table = Table(title=one_line(title), box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("layer", no_wrap=True)
    table.add_column("kind", overflow="ellipsis")  # the one to shrink where the terminal is narrow
    for heading in ("output", "parameters", "share", "MFLOPs", "share"):
        table.add_column(heading, justify="right", no_wrap=True)
    for layer in layers:
        shares = f"{layer.parameters / max(parameters, 1):.1%}", f"{layer.flops / max(flops, 1):.1%}"
        cells = f"{layer.parameters:,}", shares[0], f"{layer.flops / 1e6:,.2f}", shares[1]
        table.add_row(one_line(layer.name), one_line(layer.kind), "x".join(map(str, layer.shape)), *cells)
    table.add_section()
    table.add_row("all", "", "", f"{parameters:,}", "", f"{flops / 1e6:,.2f}", "")
    plain_console().print(table)
