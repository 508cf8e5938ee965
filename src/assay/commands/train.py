"""Train a classifier as a recipe says, and measure it on the test split.

Every field of the recipe is an option: assay train simple-cnn --optim.lr 0.02 --train.epochs 5
A set of images in place of the recipe is looked at first, as by assay new: assay train photos/
"""

from __future__ import annotations

import argparse
import os
import shlex
from collections.abc import Iterator
from contextlib import nullcontext, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING

from assay.commands.fields import add_recipe, given_fields
from assay.commands.new import print_proposal
from assay.commands.printing import print_line
from assay.run.launch import Devices

if TYPE_CHECKING:
    from assay.base.json_files import JsonObject
    from assay.base.ranks import Ranks
    from assay.run.record import RunRecord


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """RECIPE, ``--out``, ``--resume`` and a flag for every field."""
    parser.add_argument("--out", type=Path, metavar="DIR", help="run folder (default: runs/RECIPE, or the next free)")
    parser.add_argument("--resume", action="store_true", help="go on exactly where the run in DIR stopped")
    parser.add_argument(
        "--time",
        metavar="TIME",
        help="end after about this time, 90s, 20m or 1.5h: measure the speed, then choose data.size and train.epochs",
    )
    parser.add_argument(
        "--devices",
        type=Devices.parse,
        metavar="N",
        help="processes of this host that train the model together, a device each: 2, cpu:2 or cuda:2",
    )
    add_recipe(parser, or_else="; or a set of images, as for assay new")


def execute(options: argparse.Namespace) -> int:
    """Train and print a summary; return 130 if the run was interrupted, 1 if it diverged or another process failed."""
    from assay.base.ranks import EndedElsewhereError, HangsElsewhereError
    from assay.run.group import joined

    with Path(os.devnull).open("w") as nowhere:
        try:
            with joined() as ranks, nullcontext() if ranks.is_first else redirect_stdout(nowhere):
                return _train(options, ranks)
        except EndedElsewhereError as error:
            if isinstance(error, HangsElsewhereError) and error.to_say:  # of other ends another process tells
                print_line(f"assay: {error}", error=True)
            return 1


def _train(options: argparse.Namespace, ranks: Ranks) -> int:
    from assay.api import propose, train
    from assay.recipe.named import RECIPES
    from assay.run.propose import is_set
    from assay.run.run import DivergedError, InterruptedRunError

    if options.recipe in RECIPES and Path(options.recipe).is_dir() and not options.resume:
        print_line(f"{options.recipe} is the named recipe; assay train {options.recipe}/ takes the folder of that name")
    try:
        with ranks.together():
            recipe, given = options.recipe, given_fields(options)
            device = options.devices and options.devices.device
            if device and given.setdefault("train.device", device) != device:
                raise ValueError(f"--devices {device}:{options.devices.count} and --train.device: give one of them")
            if not options.resume and is_set(recipe):
                recipe = propose(recipe, given, timed=False)
                print_proposal(recipe)
        record = train(recipe, given, out=options.out, resume=options.resume, time=options.time)
    except InterruptedRunError as stopped:
        print_line(str(stopped), error=True)
        print_line(f"go on with: assay train {_as_argument(stopped.folder)} --resume", error=True)
        return 130
    except DivergedError as diverged:
        print_line(f"assay: {diverged}", error=True)
        return 1
    print_summary(record)
    return 0


def print_summary(record: RunRecord) -> None:
    """Print the end of a run in a few lines; raise ``ValueError`` if its summary, perhaps another's, lacks figures."""
    try:
        lines = list(_summary_lines(record))
    except (LookupError, TypeError, ValueError, ArithmeticError) as error:
        file = record.folder / "summary.json"
        raise ValueError(f"{file}: lacks figures, or holds others than those of a run ({error!r})") from None
    for line in lines:
        print_line(line)


def _summary_lines(record: RunRecord) -> Iterator[str]:
    from assay.classifier.accuracy import shows_top5, with_interval

    summary = record.summary
    has_top5 = shows_top5(summary.get("classes", 0))  # summaries of earlier versions lack the number of classes
    yield ""
    yield f"{record.folder}: {summary['parameters']:,} parameters, epoch {summary['epoch']} of {summary['epochs']}"
    yield f"  kept      {summary['selection']}"
    for name in ("probe", "train", "held_out", "test"):
        if name in summary:
            figures = summary[name]
            images = figures["images"]
            accuracy, top5 = (with_interval(figures[measure], images) for measure in ("accuracy", "top5"))
            measures = f"accuracy {accuracy}, top-5 {top5}" if has_top5 else f"accuracy {accuracy}"
            kind = "held-out images, before the first step" if name == "probe" else "images"
            yield f"  {name.replace('_', '-'):<9} {measures}, loss {figures['loss']:.4f} on {images:,} {kind}"
    if "folds" in summary:
        yield from _folds_lines(summary)
    yield "            [low, high]: 95 % interval of an accuracy over images like these"
    if remark := remark_on_selection(record):
        yield f"  note      {remark}"
    if summary["test_augmented"]:
        yield "            the test images went through the training augmentation"
    yield f"  time      {summary['seconds']:.1f} s, {summary['images_per_second']:,.0f} images/s while training"
    folder = _as_argument(record.folder)
    if "test" not in summary and "folds" in summary:
        folder += " --split out-of-fold"
    yield f"next: assay evaluate {folder}    tensorboard --logdir {shlex.quote(str(record.folder.parent))}"


def _folds_lines(summary: JsonObject) -> Iterator[str]:
    """Say what the models of the folds reached, together and each, and what the final model is."""
    from assay.classifier.accuracy import with_interval

    overall, folds = summary["out_of_fold"], summary["folds"]
    accuracy = with_interval(overall["accuracy"], overall["images"])
    yield f"  folds     out-of-fold accuracy {accuracy}, loss {overall['loss']:.4f} on {overall['images']:,} images"
    each = ", ".join(f"{figures['accuracy']:.2%}" for figures in folds)
    epochs = ", ".join(str(figures["epoch"]) for figures in folds)
    yield f"            {each}: mean {overall['fold_mean']:.2%}, standard deviation {overall['fold_std']:.2%}"
    yield f"            kept epochs {epochs}; each learned from the other {len(folds) - 1} folds"
    yield f"  model     the final one: learned from all {summary['train_images']:,} images, none held out"


def remark_on_selection(record: RunRecord) -> str:
    """Return a warning where few images have chosen among the epochs; else nothing."""
    from assay.classifier.accuracy import few_images

    summary, split = record.summary, record.recipe.as_trained().train.select.replace("-", "_")
    if split == "last" or (summary["epochs"] == 1 and "probe" not in summary):  # the probe is chosen from too
        return ""
    remark = few_images(summary[split]["images"], "epochs")
    return remark and f"the epoch was chosen by {remark}"


def _as_argument(folder: Path) -> str:
    """Quote the folder for a shell, with ``./`` if it would be read as a recipe's name or an option."""
    from assay.recipe.named import RECIPES

    text = str(folder)
    return shlex.quote(f"./{text}" if text in RECIPES or text.startswith("-") else text)
