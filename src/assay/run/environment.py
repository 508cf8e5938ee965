"""What a run runs on: versions, commit, hardware, threads, the command line."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import version
from pathlib import Path

from assay.base.json_files import JsonObject
from assay.version import VERSION

LIBRARIES = ("torch", "torchvision", "timm", "pillow", "numpy", "scikit-learn")
"""what decodes and changes pixels, makes networks, computes, draws numbers, and cuts splits"""


def environment(device: str) -> JsonObject:
    """Describe this process: versions, commit, hardware, threads and the command line."""
    import torch

    return {
        "assay": VERSION,
        "commit": commit(),
        "python": platform.python_version(),
        **{name: version(name) for name in LIBRARIES},
        "platform": platform.platform(),
        "processor": processor(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "device": device,
        "accelerator": torch.cuda.get_device_name(device) if device.startswith("cuda") else None,
        "command": sys.argv,
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
    }


@cache
def commit() -> str | None:
    """Return the last commit of this code, with ``+ changes`` where files differ from it; None outside its repository.

    Asked for the package's own folder: one that is installed may lie in the repository of something else.
    """
    root = Path(__file__).parents[1]

    def git(*words: str) -> str:
        # Without optional locks, or a look would hold up somebody who commits.
        command = ["git", "--no-optional-locks", "-C", str(root), *words, "--", "."]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout.strip()

    try:
        last, changed = git("log", "-1", "--format=%H"), git("status", "--porcelain")
    except (OSError, subprocess.SubprocessError):  # there is no git, no repository, or no answer
        return None
    return (f"{last} + changes" if changed else last) or None


def processor() -> str:
    """Return the processor's name, as far as the system tells it; ``platform`` does not on Linux."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()
