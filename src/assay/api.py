"""The library's front door: every function of ``import assay``. The commands call these too.

Those that need matplotlib, statsmodels or Optuna live in their own packages, and are imported on first use.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from rich.console import Console

from assay.analysis.errors.runs import evaluate_out_of_fold
from assay.base.device import pick_device
from assay.base.duration import parse_duration
from assay.base.ranks import Ranks
from assay.classifier.classifier import Classifier as Classifier
from assay.classifier.classifier import load as load
from assay.classifier.classifier import ready
from assay.classifier.evaluation import Evaluation as Evaluation
from assay.classifier.journal import Written as Written
from assay.classifier.predict import predict as predict
from assay.classifier.predict import predict_to_file as predict_to_file
from assay.classifier.prediction import Prediction as Prediction
from assay.classifier.split_request import SplitRequest as SplitRequest
from assay.data.check import Check, check_source
from assay.data.choices import OUT_OF_FOLD, CacheUse, OnUnlabelled
from assay.data.decode import default_workers
from assay.data.duplicates import NEAR
from assay.data.pack import Packed as Packed
from assay.data.pack import pack as pack
from assay.data.sources import load_source, name_of_set
from assay.recipe.named import find_recipe
from assay.recipe.recipe import Recipe as Recipe
from assay.run.adapt import Adapted
from assay.run.cross_validation import cross_validate
from assay.run.find_lr import find_lr as find_lr
from assay.run.folder import RunFolder, free_folder
from assay.run.group import is_restarted, joined, may_be_restarted
from assay.run.progress import ProgressBar
from assay.run.propose import Proposal as Proposal
from assay.run.propose import is_set
from assay.run.propose import propose as propose
from assay.run.record import RunRecord as RunRecord
from assay.run.run import run
from assay.run.suited import suited
from assay.run.timed_run import run_in_time
from assay.training.lr_finder import Sweep as Sweep

if TYPE_CHECKING:
    from assay.analysis.errors.api import find_errors as find_errors
    from assay.analysis.inspection.api import Inspection as Inspection
    from assay.analysis.inspection.api import inspect as inspect
    from assay.pages.report.api import report as report
    from assay.studies.api import StudyReport as StudyReport
    from assay.studies.api import run_study as run_study
    from assay.studies.api import show_study as show_study
    from assay.studies.outside.compare import Compared as Compared
    from assay.studies.outside.compare import compare as compare
    from assay.studies.search.search import search as search

_LAZY = {
    "Compared": "assay.studies.outside.compare",
    "compare": "assay.studies.outside.compare",
    "Inspection": "assay.analysis.inspection.api",
    "StudyReport": "assay.studies.api",
    "find_errors": "assay.analysis.errors.api",
    "inspect": "assay.analysis.inspection.api",
    "report": "assay.pages.report.api",
    "run_study": "assay.studies.api",
    "search": "assay.studies.search.search",
    "show_study": "assay.studies.api",
}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'assay.api' has no attribute {name!r}")
    try:
        return getattr(importlib.import_module(_LAZY[name]), name)
    except ValueError as error:  # Optuna is not installed: the call says so, while hasattr(assay, "search") holds
        return partial(_refuse, error)


def _refuse(error: ValueError, *_arguments: Any, **_options: Any) -> None:
    raise error


def train(
    recipe: str | Path | Recipe | Proposal = "digits",
    changes: Mapping[str, Any] | None = None,
    *,
    out: str | Path | None = None,
    resume: bool = False,
    progress: bool = True,
    time: str | float | None = None,
) -> RunRecord:
    """Train a classifier and measure it; with ``data.folds``, one for each fold and a final one of all images.

    Args:
        recipe: a named recipe, a recipe's YAML file, a run folder, or a ``Recipe``; or a set of images, as for
            ``propose``, whose proposal is trained, or a proposal.
        changes: fields to change, under dotted names: ``{"train.epochs": 3}``. What hangs on them follows, as
            ``assay.run.adapt`` says, except with ``resume``: a shorter run has a shorter warmup.
        out: the run folder, which must be new; by default the next free one in ``runs``. With ``resume``, a run
            folder that is given as the recipe is also the one to resume.
        resume: go on exactly where the run in ``out`` stopped, also for more epochs than it was first asked for.
        progress: show a progress bar and a line for each epoch.
        time: when the run is to end, from now: ``"90s"``, ``"20m"``, ``"1.5h"``, or seconds. Speed is measured first;
            then the size of the images and the number of epochs are chosen, as far as they are not given, so that the
            run ends within some percent of it (``assay.run.timed_run``). The run's recipe holds what was chosen.

    In a script that torchrun has started, the processes train one model together; ``train.batch_size`` stays that of
    all of them, and the first one writes.

    Returns:
        The run's record; the trained model is ``record.folder / "model.safetensors"``. With ``data.folds`` it is that
        of the final model, and ``record.summary["out_of_fold"]`` what the models of the folds reached.

    Raises:
        ValueError: the message is one line that names what is wrong in the recipe, the data or the folder.
        EndedElsewhereError: another of several processes has failed, or says how the run ended.

    >>> record = train("digits", {"train.epochs": 1}, out=folder / "run", progress=False)
    >>> record.summary["test"]["images"]
    355
    """
    with joined() as ranks:
        if out is not None and ranks.any(is_restarted() and RunFolder(Path(out).expanduser()).recipe.exists()):
            recipe, changes, resume = out, None, True
        with ranks.together():
            if not resume and is_set(recipe):
                recipe = propose(recipe, changes, timed=False)
            name, base = (recipe.name, recipe.recipe) if isinstance(recipe, Proposal) else find_recipe(recipe)
            # A resumed run keeps the lengths that it began with, whatever number of epochs is asked for now.
            adapted = Adapted(base.but(changes or {})) if resume or time else suited(name, base, changes or {})
            _check_processes(ranks, adapted.recipe, out, time)
            folder = _out(recipe, name, out, resume)
        if time is not None:
            left = parse_duration(time) - (recipe.took if isinstance(recipe, Proposal) else 0.0)
            return run_in_time(name, base, changes or {}, left, None if resume else folder, progress=progress)
        observers = [ProgressBar(Console(), adapted.notes)] if progress and ranks.is_first else []
        if adapted.recipe.is_cross_validated:
            return cross_validate(adapted.recipe, folder, resume=resume, observers=observers)
        folder = Path(ranks.text_of_first(str(folder)))  # another process may have found this one there already
        return run(adapted.recipe, folder, resume=resume, observers=observers, ranks=ranks)


def evaluate(
    model: str | Path | Classifier,
    data: str | None = None,
    *,
    split: str = "test",
    root: str | Path | None = None,
    label: str | None = None,
    views: str | None = None,
    on_bad_image: str | None = None,
    device: str = "auto",
    unlabelled: OnUnlabelled | None = None,
    cache: CacheUse = "on",
) -> Evaluation:
    """Measure a classifier on a split of labelled images.

    Args:
        model: a run folder, a ``model.safetensors`` file, or a loaded classifier.
        data: a set's name, as in a recipe; by default the set that the model learned from.
        split: ``train``, ``held-out`` or ``test``, cut as in the model's training; or of a run with ``data.folds``
            ``out-of-fold``: the answers that the models of its folds have left, each for the images of its own fold.
        root: the folder that holds the named sets.
        label: the label column of a Parquet set that has several.
        views: test-time augmentation: ``none``, ``flip``, ``flip-shift``, ``five-crop`` or ``ten-crop``;
            by default that of the model's own recipe.
        on_bad_image: ``"error"`` or ``"skip"``; by default, of the model's own set, as in its training.
        device: ``auto``, ``cpu``, ``cuda``...
        unlabelled: as ``on_bad_image``, for images without a label.
        cache: how far decoded images are kept, as in a recipe: ``off``, ``verify`` or ``on``.

    Returns:
        Scores, labels, names, and the measures computed from them.

    Raises:
        ValueError: no such model, data or split, or classes that the model does not know.

    >>> evaluate(folder / "run").confusion.shape
    torch.Size([10, 10])
    """
    request = SplitRequest(split, data, root, label, on_bad_image, device, unlabelled, cache)
    if split == OUT_OF_FOLD:
        if isinstance(model, Classifier) or views is not None:
            raise ValueError(f"split {OUT_OF_FOLD}: name the run folder that holds these answers, and no other views")
        return evaluate_out_of_fold(model, request)
    classifier, where = _ready(model, device)
    return request.evaluate(classifier, where, views)


def check(data: str | Path, *, root: str | Path | None = None, label: str | None = None, near: float = NEAR) -> Check:
    """Decode every image of a set, and report what is wrong with it.

    Args:
        data: a set's name, as in a recipe, or its folder or Parquet file.
        root: the folder that holds the named sets.
        label: the label column of a Parquet set that has several.
        near: similarity from which two images count as near duplicates, in (0, 1).

    Returns:
        The findings; their ``problems`` are empty if nothing is wrong.

    Raises:
        ValueError: there is no such set.

    >>> check("digits").problems
    []
    """
    folder = None if root is None else Path(root).expanduser()
    # Encoded images are not held either: each is looked at once.
    source = load_source(name_of_set(data), root=folder, label=label, unlabelled="skip", memory=0)
    return check_source(source, workers=default_workers(), near=near)


def _check_processes(ranks: Ranks, recipe: Recipe, out: str | Path | None, time: str | float | None) -> None:
    """Refuse what only one process can do, and what torchrun could not go on with after a restart."""
    if may_be_restarted() and out is None:
        raise ValueError("torchrun --max-restarts: name the run folder with --out, so that a restart finds its run")
    for name, is_asked in {"time": time is not None, "data.folds": recipe.is_cross_validated}.items():
        if is_asked and ranks.size > 1:
            raise ValueError(f"{name}: not with {ranks.size} processes; train in one")


def _out(recipe: str | Path | Recipe | Proposal, name: str, out: str | Path | None, resume: bool) -> Path:
    """Return the run folder that the arguments of ``train`` mean."""
    if out is not None:
        return Path(out).expanduser()
    if not resume:
        return free_folder(Path("runs"), name)
    if isinstance(recipe, Recipe | Proposal) or not Path(recipe).is_dir():
        raise ValueError("which run to resume? give its folder in place of the recipe, or as --out")
    return Path(recipe)


def _ready(model: str | Path | Classifier, device: str) -> tuple[Classifier, torch.device]:
    """Return the classifier on the device, and the device."""
    where = pick_device(device)
    classifier = model if isinstance(model, Classifier) else load(model)
    return ready(classifier, where), where
