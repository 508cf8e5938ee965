"""Show a folder of runs and studies in the browser, live, and try its models on images.

assay serve runs
"""

from __future__ import annotations

import argparse
from pathlib import Path

from assay.commands.printing import print_line


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add RUNS, and where to listen."""
    parser.add_argument(
        "runs", metavar="RUNS", nargs="?", type=Path, default=Path("runs"), help="folder of runs (default: runs)"
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: 127.0.0.1, this machine)")
    parser.add_argument("--port", type=int, default=8000, help="port to listen on; 0 takes a free one (default: 8000)")


def execute(options: argparse.Namespace) -> int:
    """Serve until Ctrl-C, which gives exit status 130."""
    from assay.pages.server.folder import ServedFolder
    from assay.pages.server.security import is_loopback
    from assay.pages.server.serve import listen, serve

    ServedFolder.open(options.runs)  # a missing folder is refused before any warning or address is printed
    listener = listen(options.host, options.port)  # a port that is taken is refused before the warning too
    if not is_loopback(options.host):
        warning = f"whoever reaches {options.host} can see these runs and use their models"
        print_line(f"assay: warning: {warning}", error=True)
    serve(options.runs, listener, options.host, lambda address: print(f"{address} (Ctrl-C ends it)", flush=True))
    return 0
