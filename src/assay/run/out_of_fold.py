"""The answers of fold models, each for the images of its own fold: all of them together, and what they measure."""

from __future__ import annotations

import statistics

import torch
from safetensors.torch import save

from assay.base.atomic import replace_file
from assay.base.json_files import JsonObject
from assay.classifier.classifier import load
from assay.classifier.evaluation import Evaluation
from assay.classifier.split_request import digest
from assay.data.load import Folds
from assay.run.folder import RunFolder
from assay.run.record import read_scores


def gather(folder: RunFolder, folds: Folds, classes: tuple[str, ...]) -> JsonObject:
    """Put the answers of the fold runs together in ``out-of-fold.safetensors``, and measure them.

    The file holds ``out_of_fold.scores`` ``[N, K]``, ``out_of_fold.labels`` ``[N]`` and ``out_of_fold.folds`` ``[N]``,
    the number of the fold, in the order of the images.

    Args:
        folder: of the cross-validated run.
        folds: the images that were cut into folds.
        classes: the names of the K classes.

    Returns:
        Entries of the summary: ``out_of_fold``, the figures over all images, with the mean and the standard deviation
        of the accuracies of the folds; ``folds``, the figures of each fold and the epoch that its run kept.

    Raises:
        ValueError: a fold run is not finished, or answered for other images.
    """
    numbers = torch.from_numpy(folds.numbers)
    scores, labels = torch.zeros(len(numbers), len(classes)), torch.zeros(len(numbers), dtype=torch.int64)
    figures = []
    for number in range(1, int(numbers.max()) + 1):
        rows = torch.nonzero(numbers == number).flatten()
        run = folder.fold(number)
        classifier = load(run)
        if classifier.data["images"]["test"] != digest([folds.names[row] for row in rows]):
            raise ValueError(f"{run}: the images of this fold have changed since it was trained; train anew")
        answered, of_images = map(torch.from_numpy, read_scores(run))
        if answered.shape != scores[rows].shape:
            raise ValueError(f"{run}: answered for other images or classes than those of this fold; train anew")
        scores[rows], labels[rows] = answered, of_images
        answers = Evaluation(scores[rows], labels[rows], classes, ())
        figures.append({**answers.figures(), "epoch": classifier.metrics["epoch"]})
    tensors = {"scores": scores, "labels": labels, "folds": numbers}
    replace_file(folder.out_of_fold, save({f"out_of_fold.{name}": tensor for name, tensor in tensors.items()}))
    accuracies = [one["accuracy"] for one in figures]
    spread = {"fold_mean": statistics.mean(accuracies), "fold_std": statistics.stdev(accuracies)}
    return {"out_of_fold": {**Evaluation(scores, labels, classes, ()).figures(), **spread}, "folds": figures}
