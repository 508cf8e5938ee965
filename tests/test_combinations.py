"""Any training choices combine, or are refused with a reason: recipes are drawn at random and trained for two steps."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from assay.base.device import reproducible
from assay.recipe.fields import field_names
from assay.recipe.recipe import Recipe
from assay.run.build import build
from assay.training.loop import train_epoch

CPU = torch.device("cpu")


def maybe(*values: Any) -> st.SearchStrategy[Any]:
    return st.sampled_from(values)


CHOICES: dict[str, st.SearchStrategy[Any]] = {
    "augment.resized_crop": maybe(0.1, 0.5),
    "augment.crop": maybe(1, 4),
    "augment.translate": maybe(2),
    "augment.gap": maybe("reflect"),
    "augment.flip": maybe(0.5),
    "augment.alternate_flip": maybe(True),
    "augment.rotation": maybe(15.0),
    "augment.policy": maybe("trivial", "rand"),
    "augment.rand_ops": maybe(1),
    "augment.brightness": maybe(0.4),
    "augment.contrast": maybe(0.4),
    "augment.saturation": maybe(0.4),
    "augment.hue": maybe(0.1),
    "augment.pca_noise": maybe(0.1),
    "augment.grayscale": maybe(0.2),
    "augment.erase": maybe(0.5),
    "augment.cutout": maybe(4),
    "augment.mixup": maybe(0.2),
    "augment.cutmix": maybe(1.0),
    "augment.where": maybe("test", "both"),
    "model.activation": maybe("elu", "sigmoid", "rrelu"),
    "model.width": maybe(0.25),
    "model.dropout": maybe(0.3),
    "model.init": maybe("he", "xavier", "dirac"),
    "model.stem_kernel": maybe(3),
    "model.stem_pool": maybe(False),
    "model.shortcut": maybe("conv", "pad"),
    "model.tweak": maybe("b", "c", "d"),
    "model.zero_gamma": maybe(True),
    "model.hidden": maybe(10),
    "model.batch_norm": maybe(True),
    "model.head_norm": maybe(True),
    "optim.name": maybe("sgd", "adagrad", "adadelta", "rmsprop", "adam", "adamw", "lars", "muon"),
    "optim.lr_batch": maybe(16),
    "optim.weight_decay": maybe(0.01),
    "optim.decay": maybe("weights"),
    "optim.bias_lr": maybe(64.0),
    "optim.clip": maybe(1.0),
    "optim.momentum": maybe(0.9),
    "optim.dampening": maybe(0.9),
    "optim.nesterov": maybe(True),
    "optim.beta1": maybe(0.8),
    "optim.eps": maybe(1e-6),
    "optim.normalize": maybe(True),
    "schedule.name": maybe(
        *("step", "multistep", "exponential", "linear", "cosine", "cosine-periodic", "cosine-restarts", "one-cycle")
    ),
    "schedule.milestones": maybe((1.0, 2.0)),
    "schedule.period": maybe(2.0),
    "schedule.warmup": maybe(0.5),
    "schedule.update": maybe("epoch"),
    "schedule.freeze_out": maybe(0.5),
    "loss.name": maybe("double-softmax"),
    "loss.label_smoothing": maybe(0.1),
    "transfer.freeze": maybe("body"),
    "transfer.layer_decay": maybe(0.8),
    "transfer.head_lr": maybe(10.0),
    "transfer.freeze_norms": maybe(True),
    "transfer.freeze_scales": maybe(True),
    "transfer.whiten": maybe(True),
    "transfer.head": maybe("fitted"),
    "train.accumulate": maybe(2, 4),
    "train.precision": maybe("fp16", "bf16"),
    "train.size": maybe(28),
    "train.small_size": maybe(24),
    "train.small_ramp": maybe(0.25),
    "train.ema": maybe(0.9),
    "train.lookahead": maybe(1, 2),
    "train.channels_last": maybe(False),
    "test.sure": maybe(0.5),
    "test.views": maybe("flip", "flip-shift", "five-crop", "ten-crop"),
}

NOT_DRAWN = {"data", "train", "probe"}  # sections whose other fields say what, how long, where and what to measure


@st.composite
def recipes(draw: st.DrawFn) -> dict[str, Any]:
    """A model, and up to six choices."""
    names = draw(st.lists(st.sampled_from(sorted(CHOICES)), max_size=6, unique=True))
    model = draw(st.sampled_from(["simple-cnn", "resnet18", "vgg11"]))
    width = {"resnet18": 0.125, "vgg11": 0.125}.get(model)
    return {"model.name": model, "model.width": width, **{name: draw(CHOICES[name]) for name in names}}


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Path]:
    """A function that gives a folder of small colour images, the same each time."""
    import numpy as np
    from PIL import Image

    folder = tmp_path_factory.mktemp("photos")
    generator = np.random.default_rng(0)
    for name in ("cat", "dog"):
        (folder / name).mkdir()
        for number in range(24):
            Image.fromarray(generator.integers(0, 256, (32, 32, 3), dtype=np.uint8)).save(
                folder / name / f"{number}.png"
            )
    return lambda: folder


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(recipes(), st.sampled_from(["color", "gray", "streamed"]))
def test_any_choices_combine_or_are_refused_in_one_line(
    photos: Callable[[], Path], changes: dict[str, Any], kind: str
) -> None:
    data = {"data.size": 32} if kind == "gray" else {"data.name": f"folder:{photos()}"}
    streamed = {"data.memory": 0.0, "data.workers": 0} if kind == "streamed" else {}
    try:
        recipe = Recipe().but({"train.batch_size": 8, "optim.lr": 1e-3, **data, **streamed, **changes})
        with reproducible(0, CPU, 1):
            losses = two_steps(recipe)
    except ValueError as error:
        refusal = str(error)
        event("refused")
    else:
        refusal = ""
        assert all(map(math.isfinite, losses))
        event("trained")
    assert "\n" not in refusal
    assert not refusal or any(word in refusal for word in named_things(changes)), refusal


def two_steps(recipe: Recipe) -> list[float]:
    components = build(recipe, CPU)
    steps = train_epoch(
        components.network,
        components.batches.epoch(0),
        components.update,
        components.loss_fn,
        microbatches=recipe.train.accumulate,
    )
    return [step.loss.item() for step in islice(steps, 2)]


def named_things(changes: dict[str, Any]) -> list[str]:
    """What a refusal may name: a field with or without its section, or a field's value."""
    fields = [part for name in changes for part in (name, name.partition(".")[2])]
    return [*fields, *(str(value) for value in changes.values())]


def test_every_choice_is_drawn() -> None:
    """A new field is a new choice: it is drawn above, or named here with the reason why not."""
    elsewhere = {
        "model.name": "drawn with its width",
        "model.pretrained": "needs weights: test_transfer",
        "model.stem_stride": "as the stem's kernel",
        "model.dropout_place": "needs a hidden layer",
        "model.head": "the ImageNet head has 100 million weights",
        "augment.rand_magnitude": "as rand_ops",
        "optim.lr": "fixed, so that nothing diverges",
        "optim.beta2": "as beta1",
        "optim.rho": "as beta1",
        "optim.trust": "as eps",
        "schedule.every": "has a default",
        "schedule.factor": "has a default",
        "schedule.final": "has a default",
        "schedule.multiply": "has a default",
        "schedule.rise": "has a default",
        "schedule.start": "has a default",
        "schedule.warmup_start": "has a default",
        "transfer.unfreeze_after": "needs weights",
        "transfer.unfreeze_every": "needs weights",
        "loss.teacher": "needs a run: test_run_choices",
        "test.train": "measures once more: test_run_choices",
        "loss.temperature": "needs a teacher",
        "loss.teacher_weight": "needs a teacher",
    }
    drawn = {name for name in field_names() if name.partition(".")[0] not in NOT_DRAWN}
    assert drawn - set(CHOICES) - set(elsewhere) == set()
    assert set(CHOICES) <= set(field_names())
