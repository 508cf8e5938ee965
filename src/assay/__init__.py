"""Train CNN image classifiers fast, find out honestly which training choices help, and see why.

``import assay`` is quick: torch is imported when the first of the functions is used.
"""

from typing import TYPE_CHECKING, Any

from assay.version import VERSION

if TYPE_CHECKING:
    from assay.analysis.inspection.api import Inspection as Inspection
    from assay.analysis.inspection.api import inspect as inspect
    from assay.api import check as check
    from assay.api import evaluate as evaluate
    from assay.api import find_lr as find_lr
    from assay.api import predict as predict
    from assay.api import train as train
    from assay.classifier.classifier import Classifier as Classifier
    from assay.classifier.classifier import load as load
    from assay.classifier.evaluation import Evaluation as Evaluation
    from assay.classifier.prediction import Prediction as Prediction
    from assay.recipe.recipe import Recipe as Recipe
    from assay.run.record import RunRecord as RunRecord
    from assay.studies.api import StudyReport as StudyReport
    from assay.studies.api import run_study as run_study
    from assay.studies.api import show_study as show_study
    from assay.training.lr_finder import Sweep as Sweep

__version__ = VERSION

_HOMES = {
    "train": "assay.api",
    "evaluate": "assay.api",
    "predict": "assay.api",
    "find_lr": "assay.api",
    "check": "assay.api",
    "load": "assay.classifier.classifier",
    "Classifier": "assay.classifier.classifier",
    "Evaluation": "assay.classifier.evaluation",
    "Inspection": "assay.analysis.inspection.api",
    "inspect": "assay.analysis.inspection.api",
    "Prediction": "assay.classifier.prediction",
    "Recipe": "assay.recipe.recipe",
    "RunRecord": "assay.run.record",
    "StudyReport": "assay.studies.api",
    "Sweep": "assay.training.lr_finder",
    "run_study": "assay.studies.api",
    "show_study": "assay.studies.api",
}

__all__ = ["__version__", *_HOMES]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'assay' has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return __all__
