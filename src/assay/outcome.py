"""What a run leaves: the classifier, and the summary of how it ended."""

from __future__ import annotations

from dataclasses import replace

from assay.classifier import MODEL_FILE, Classifier, load, ready
from assay.data.sources import full_name
from assay.data.views import VIEWS
from assay.evaluation import Evaluation, evaluate_batches
from assay.parts import Parts, architecture
from assay.recipe import Recipe
from assay.record import Row, write_json
from assay.run_folder import RunFolder
from assay.selection import SELECTION
from assay.training.position import Position


def as_classifier(recipe: Recipe, parts: Parts, metrics: Row) -> Classifier:
    """The network as it stands, with all that goes into its file."""
    data = parts.data
    origin = recipe.data.model_dump(include={"name", "label", "held_out", "test", "split_seed"})
    origin["name"] = full_name(recipe.data.name)
    return Classifier(parts.judged, architecture(recipe), data.classes, data.preprocessing, origin, metrics)


def finish(recipe: Recipe, folder: RunFolder, parts: Parts, position: Position) -> None:
    """Measure the selected weights, on the test split for the first and only time, and sum up."""
    path = folder.path / MODEL_FILE
    classifier = ready(load(path), parts.device)
    views = VIEWS[recipe.test.views]
    measured = {
        name.replace("-", "_"): _short(evaluate_batches(classifier.network, batches, classifier.classes, views=views))
        for name, batches in parts.splits.items()
    }
    metrics = {
        "epoch": position.best_epoch,
        "views": recipe.test.views,
        "test_augmented": recipe.augment.where != "train",
        "selection": SELECTION[recipe.train.select],
        **measured,
    }
    replace(classifier, metrics=metrics).save(path)
    timings = folder.timings.rows()
    summary = {
        "status": "finished",
        **metrics,
        "seed": recipe.train.seed,
        "epochs": position.epoch,
        "parameters": parts.parameters,
        "train_images": len(parts.data.splits["train"]),
        "seconds": position.seconds,
        "images_per_second": sum(row["images_per_second"] for row in timings) / len(timings),
        "left_out": [str(error) for error in parts.data.bad],
    }
    write_json(folder.summary, summary)


def _short(evaluation: Evaluation) -> Row:
    return {
        "images": len(evaluation.labels),
        "accuracy": evaluation.accuracy,
        "top5": evaluation.top5,
        "loss": evaluation.loss,
    }
