"""What a checkpoint asks of the files beside it: a run goes on only where its record is what it left."""

from __future__ import annotations

from pathlib import Path

from assay.base.numbers import is_count, is_number
from assay.base.text import shorten
from assay.classifier.classifier import MODEL_FILE
from assay.recipe.recipe import Recipe
from assay.run.input_of_weights import decided_in, pretrained_input_in
from assay.run.probing.probe import check_probe
from assay.run.record import read_epochs
from assay.training.checkpoint import State


def recipe_in(state: State, file: Path) -> Recipe:
    """Return the recipe that a checkpoint was written with.

    Raises:
        ValueError: names ``file``, the checkpoint; its recipe, or what it says of the input, is none.
    """
    try:
        recipe = Recipe.from_dict(state["recipe"])
        pretrained_input_in(state)
        if recipe.model.pretrained:
            decided_in(state)
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise ValueError(f"{file}: not a checkpoint of assay, or damaged ({shorten(str(error), 200)})") from None
    return recipe


def check_files(folder: Path, state: State, recipe: Recipe) -> None:
    """Raise ``ValueError`` that names the file of the run folder that is not what the checkpoint has left."""
    position = state["position"]
    for name, size in (("metrics.jsonl", "metrics_size"), ("timings.jsonl", "timings_size")):
        rows = read_epochs(folder / name, position[size])
        # Counted first: a damaged checkpoint may claim any number of epochs.
        if len(rows) != position["epoch"] or any(row["epoch"] != place for place, row in enumerate(rows, start=1)):
            raise ValueError(
                f"{folder / name}: expected a line for each of the {position['epoch']} epochs that are done"
            )
        if name == "timings.jsonl" and not all(is_number(row.get("images_per_second")) for row in rows):
            raise ValueError(f"{folder / name}: a line has no images_per_second")
    if position["best"] and not (folder / MODEL_FILE).is_file():
        raise ValueError(f"{folder / MODEL_FILE}: is missing; it holds the best weights so far")
    events = {} if state.get("tracker") is None else state["tracker"]  # None: of an earlier version
    if not isinstance(events, dict) or not all(map(is_count, events.values())):
        raise ValueError(f"{folder / 'last.ckpt'}: tracker: expected the sizes of TensorBoard's files")
    if recipe.probe.every is not None:
        check_probe(folder, state.get("probe"))
