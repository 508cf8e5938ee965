"""Train CNN image classifiers fast, find out honestly which training choices help, and see why.

``import assay`` is quick: torch is imported when one of the functions is first used.
"""

from typing import TYPE_CHECKING, Any

from assay.version import VERSION

if TYPE_CHECKING:
    from assay.api import *

__version__ = VERSION

__all__ = [
    "Classifier",
    "Compared",
    "Evaluation",
    "Inspection",
    "Packed",
    "Prediction",
    "Proposal",
    "Recipe",
    "RunRecord",
    "SplitRequest",
    "StudyReport",
    "Sweep",
    "Written",
    "__version__",
    "check",
    "compare",
    "evaluate",
    "find_errors",
    "find_lr",
    "inspect",
    "load",
    "pack",
    "predict",
    "predict_to_file",
    "propose",
    "report",
    "run_study",
    "search",
    "show_study",
    "train",
]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'assay' has no attribute {name!r}")
    from assay import api

    return getattr(api, name)


def __dir__() -> list[str]:
    return __all__
