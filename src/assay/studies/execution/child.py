"""The process of one run: the recipe on standard input, the run folder as argument, the end as exit status.

It holds a lock, so that two studies never work on one run at once, and it ends with the process that
started it, however that one ends.
"""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path

from assay.base.allocator import keep_freed_memory
from assay.base.user_errors import explain
from assay.recipe.recipe import Recipe
from assay.run.folder import RunFolder
from assay.run.run import DivergedError, InterruptedRunError, run
from assay.studies.execution.protocol import DIVERGED, END_OF_RECIPE, FINISHED, INTERRUPTED, REFUSED
from assay.studies.execution.store import lock


def main(folder: Path) -> int:
    """Do the run, or continue it, and return the exit status; the last line on standard error gives the reason."""
    recipe = _read_recipe()
    if recipe is None:
        return INTERRUPTED
    threading.Thread(target=_end_with_parent, daemon=True).start()
    keep_freed_memory()
    try:
        with lock(folder):
            run(recipe, folder, resume=RunFolder(folder).recipe.exists())
    except InterruptedRunError:
        return INTERRUPTED
    except DivergedError as error:
        return _end(str(error), DIVERGED)
    except Exception as error:
        text = explain(error)
        if text is None:
            raise
        return _end(text, REFUSED)
    return FINISHED


def _read_recipe() -> Recipe | None:
    """Return the recipe, or None if the parent ended before it had sent all of it."""
    text = ""
    with open(0, encoding="utf-8", closefd=False) as stdin:  # 0 stays open: its end says that the parent has ended
        for line in stdin:
            if line == END_OF_RECIPE:
                return Recipe.from_yaml(text)
            text += line
    return None


def _end(reason: str, status: int) -> int:
    print(reason, file=sys.stderr)
    return status


def _end_with_parent() -> None:
    """Wait until the parent closes standard input or dies, then end at once; the files on disk are always whole."""
    os.read(0, 1)  # not through sys.stdin, whose lock a thread must not hold when the interpreter ends
    os._exit(INTERRUPTED)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
