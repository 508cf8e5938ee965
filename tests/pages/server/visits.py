"""A browser's view of a served folder, without a server's process."""

import os
import time
from pathlib import Path

from starlette.testclient import TestClient

from assay.pages.server.app import build_app


def visit(runs: Path, **options: str) -> TestClient:
    """From this machine; an error of the server becomes an answer."""
    return TestClient(build_app(runs, **options), "http://127.0.0.1:8000", raise_server_exceptions=False)


def age(folder: Path, seconds: float) -> None:
    """As if nothing had changed in the folder for so long."""
    when = time.time() - seconds
    for file in folder.iterdir():
        os.utime(file, (when, when))
