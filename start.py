"""From a fresh clone to a trained classifier, or to passed tests; needs Python 3.11 or later and nothing else.

python3 start.py              makes .venv, installs assay, trains on the embedded digits and draws the results
python3 start.py test         makes .venv, installs assay with its development tools, and runs the tests
python3 start.py test --all   runs the slow tests too
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
import venv
from pathlib import Path

HOME = Path(__file__).resolve().parent
VENV = HOME / ".venv"
BIN = VENV / ("Scripts" if os.name == "nt" else "bin")


def install(extras: str) -> None:
    """Make the environment where there is none, and install assay where that was not done yet."""
    done = VENV / f"installed{extras}"
    if done.exists() and done.stat().st_mtime >= (HOME / "pyproject.toml").stat().st_mtime:
        return
    print("setting up .venv (a few minutes the first time)", flush=True)
    if not (BIN / "python").exists() and not (BIN / "python.exe").exists():
        venv.create(VENV, with_pip=True)
    run("python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--editable", f"{HOME}{extras}")
    done.touch()


def run(program: str, *arguments: str) -> None:
    """Run a program of the environment in the clone; leave with its status where it fails."""
    status = subprocess.run([BIN / program, *arguments], cwd=HOME, check=False).returncode
    if status:
        sys.exit(status)


def demo() -> None:
    """Train on the digits, and evaluate with pictures."""
    install("")
    folder = f"runs/digits-{time.strftime('%Y%m%d-%H%M%S')}"
    run("assay", "train", "digits", "--out", folder)
    run("assay", "evaluate", folder)


def test(*arguments: str) -> None:
    """Run the tests on all cores; ``--all`` adds the slow ones, further arguments go to pytest."""
    install("[dev]")
    # A test runs as soon as a worker is free, but for groups (Ray, the browser), whose start only one worker pays for.
    # At most 8 workers: each imports torch, which takes some 0.7 GB of memory. The slow tests mostly wait for processes
    # that they have started, so one worker more than there are cores is no load.
    every = "--all" in arguments
    workers = ["-n", str(min(8, (os.cpu_count() or 1) + every)), "--dist", "loadgroup"]
    chosen = [] if every else ["-m", "not slow"]
    others = [argument for argument in arguments if argument != "--all"]
    run("python", "-m", "pytest", *workers, *chosen, *others)


if __name__ == "__main__":
    if sys.version_info < (3, 11):
        sys.exit(f"assay needs Python 3.11 or later; this is {sys.version.split()[0]}")
    if sys.argv[1:2] == ["test"]:
        test(*sys.argv[2:])
    elif len(sys.argv) == 1:
        demo()
    else:
        sys.exit(__doc__)
