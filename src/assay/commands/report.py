"""Write runs and studies as one HTML file that needs nothing else: curves, tables, pictures, recipes.

assay report runs studies/stem-quick --out report.html
"""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path

from assay.commands.printing import print_line


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add PATH..., and where the page goes."""
    parser.add_argument(
        "paths", metavar="PATH", nargs="+", type=Path, help="run folder, study folder, or a folder that holds several"
    )
    parser.add_argument("--out", type=Path, default=Path("report.html"), metavar="FILE", help="default: report.html")
    parser.add_argument("--title", default="", help="of the page (default: the names of the paths)")
    parser.add_argument("--data.root", dest="root", metavar="DIR", type=Path, help="folder that holds the named sets")


def execute(options: argparse.Namespace) -> int:
    """Write the page, and print its name and size."""
    from assay.api import report

    command = shlex.join(["assay", *options.given])
    file = report(options.paths, options.out, title=options.title, command=command, root=options.root)
    print_line(f"{file}: {file.stat().st_size / 1e6:.1f} MB")
    return 0
