"""What a run leaves: the classifier, and the summary of how it ended."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from safetensors.torch import save
from torch import Tensor

from assay.base.atomic import replace_file
from assay.base.json_files import JsonObject
from assay.base.ranks import Ranks
from assay.classifier.classifier import MODEL_FILE, Classifier, load, ready
from assay.classifier.evaluation import Evaluation, evaluate_batches
from assay.classifier.split_request import digest
from assay.data.choices import OUT_OF_FOLD
from assay.data.sources import full_name
from assay.data.views import views_of
from assay.models.cost import count_flops
from assay.recipe.recipe import Recipe
from assay.run.build import architecture
from assay.run.components import Components
from assay.run.folder import RunFolder
from assay.run.norms import norm_remark
from assay.run.observer import Observer
from assay.run.out_of_fold import gather
from assay.run.selection import PROBE, SELECTION
from assay.training.position import Position

_CUT = {"held_out", "test", "split_seed", "train_images", "folds", "fold", "groups"}
_ORIGIN = {"name", "label", *_CUT, "on_bad_image", "unlabelled"}


def as_classifier(recipe: Recipe, components: Components, metrics: JsonObject) -> Classifier:
    """Return the network as it is now, with everything that its file holds."""
    data = components.data
    origin = recipe.data.model_dump(include=_ORIGIN)
    origin["name"] = full_name(recipe.data.name)
    origin["images"] = {split: digest(dataset.names) for split, dataset in data.splits.items()}
    if data.folds is not None:
        origin["images"][OUT_OF_FOLD] = digest(data.folds.names)
    return Classifier(
        components.judged,
        architecture(recipe),
        data.classes,
        data.preprocessing,
        origin,
        metrics,
        pretrained_input=components.pretrained_input,
    )


def finish(
    recipe: Recipe,
    folder: RunFolder,
    components: Components,
    position: Position,
    observers: Sequence[Observer],
    ranks: Ranks,
) -> None:
    """Measure the selected weights, together, and write scores, model file and summary, as the first process.

    Unless epochs are selected by it, the test split is evaluated here for the first and only time.
    """
    path = folder.path / MODEL_FILE
    ranks.wait()  # until the file is written
    # From the file: the network in memory is that of the last epoch, which need not be the selected one.
    classifier = ready(load(path), components.device)
    views = views_of(recipe.test.views, recipe.test.sure)
    evaluations = {
        name.replace("-", "_"): evaluate_batches(classifier.network, batches, classifier.classes, views=views)
        for name, batches in components.splits.items()
    }
    if ranks.is_first:
        _record(recipe, folder, components, position, observers, classifier, evaluations)
    ranks.wait()


def _record(
    recipe: Recipe,
    folder: RunFolder,
    components: Components,
    position: Position,
    observers: Sequence[Observer],
    classifier: Classifier,
    evaluations: Mapping[str, Evaluation],
) -> None:
    """Write what was measured of the selected weights."""
    replace_file(folder.scores, as_scores(evaluations))
    metrics = {
        "epoch": position.best_epoch,
        "views": recipe.test.views,
        **({} if recipe.test.sure is None else {"sure": recipe.test.sure}),
        "test_augmented": recipe.augment.where != "train",
        "selection": SELECTION[recipe.train.select] if position.best_epoch else PROBE,
        **{name: evaluation.figures() for name, evaluation in evaluations.items()},
    }
    folder.write_model(replace(classifier, metrics=metrics))
    if remark := norm_remark(classifier.network, components.sample):
        for observer in observers:
            observer.say(remark)
    folds, timings, form = components.data.folds, folder.timings.rows(), classifier.preprocessing
    summary = {
        "status": "finished",
        **metrics,
        **({} if folds is None else gather(folder, folds, classifier.classes)),
        "seed": recipe.train.seed,
        "precision": recipe.train.precision,
        "epochs": position.epoch,
        "parameters": components.parameters,
        "flops": count_flops(classifier.network, form.channels, form.size, components.device),
        "classes": len(classifier.classes),
        "train_images": len(components.data.splits["train"]),
        **({"probe": position.probe} if position.probe else {}),
        "seconds": position.seconds,
        "images_per_second": sum(row["images_per_second"] for row in timings) / len(timings),
        "left_out": [str(error) for error in components.data.bad],
    }
    for observer in observers:
        observer.end(recipe, evaluations, position.epoch * len(components.batches))
    folder.write_summary(summary)  # last: a run with a finished summary is finished


def as_scores(evaluations: Mapping[str, Evaluation]) -> bytes:
    """Return a safetensors file of ``held_out`` and ``test``: ``test.scores`` ``[N, K]``, ``test.labels`` ``[N]``."""
    tensors: dict[str, Tensor] = {}
    for name, evaluation in evaluations.items():
        if name != "train":
            tensors |= {f"{name}.scores": evaluation.scores.contiguous(), f"{name}.labels": evaluation.labels}
    return save(tensors)
