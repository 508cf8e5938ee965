"""Find a learning rate: train a copy of the network briefly while the rate rises, and see where the loss falls.

Every field of the recipe is an option: assay find-lr digits --train.batch_size 64 --plot sweep.png
"""

from __future__ import annotations

import argparse
from pathlib import Path

from assay.commands.fields import add_recipe, given_fields
from assay.commands.printing import print_line


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """RECIPE, ``--plot`` and a flag for every field."""
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw the losses: a .png or .svg file")
    add_recipe(parser)


def execute(options: argparse.Namespace) -> int:
    """Sweep, print what was found, draw it."""
    from assay.analysis.figures.style import save_figure
    from assay.analysis.figures.sweep_plot import plot_sweep
    from assay.analysis.output import check_picture
    from assay.api import find_lr

    if options.plot is not None:
        check_picture(options.plot)  # now, not after the sweep, which may take minutes
    sweep = find_lr(options.recipe, given_fields(options))
    for note in sweep.notes:
        print_line(note)
    print_line(f"tried {len(sweep.rates)} rates from {sweep.rates[0]:.2g} to {sweep.rates[-1]:.2g}")
    print_line(f"  steepest descent         {sweep.steepest:.2g}")
    print_line(f"  a tenth of the lowest    {sweep.tenth:.2g}")
    print_line(f"next: --optim.lr {sweep.suggestion:.2g}")
    if options.plot is not None:
        save_figure(plot_sweep(sweep, f"{options.recipe}: loss over the learning rate"), options.plot)
        print_line(f"figure: {options.plot}")
    return 0
