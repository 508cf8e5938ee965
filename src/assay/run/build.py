"""From a recipe to the components of a run: the only file that reads every section and builds what it names."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from torch import nn

from assay.base.ranks import ALONE, Ranks
from assay.classifier.classifier import build_network
from assay.data.load import Data
from assay.models import count_parameters
from assay.models.seeded_init import seeded_init
from assay.models.structure import layer_groups
from assay.models.weights import load_weights
from assay.recipe.recipe import Recipe
from assay.run.batches import OpenImages, build_feed, open_data, training_images
from assay.run.components import Components
from assay.run.find_weights import find_pretrained
from assay.run.fixed import WHITENED, check_sides, fix, whiten
from assay.run.head import fit_head
from assay.run.input_of_weights import decided_in, input_notes, pretrained_input_in, wanted_by
from assay.run.selection import last_epoch
from assay.run.shared import check_processes
from assay.run.teacher import find_teacher
from assay.training.average import average_of, lag_remark
from assay.training.checkpoint import State
from assay.training.loop import Update
from assay.training.losses import LossFunction, build_loss
from assay.training.optim import build_optimizer, parameter_groups
from assay.training.precision import Precision
from assay.training.schedule import Schedule, attach, build_schedule
from assay.training.transfer import LayerGroups, build_learning, freeze_for, freeze_out, rate_factors, until


def build(
    recipe: Recipe,
    device: torch.device,
    previous: State | None = None,
    open_images: OpenImages = open_data,
    ranks: Ranks = ALONE,
) -> Components:
    """Build everything that the recipe names.

    Args:
        recipe: names the components.
        device: will hold them.
        previous: the state that will be restored; pretrained weights are then not loaded again.
        open_images: opens the images of the recipe's data section.
        ranks: the processes that share the batches.

    Raises:
        ValueError: something does not exist or fit.
    """
    source = None if previous else recipe.model.pretrained
    pretrained = find_pretrained(source, **architecture(recipe)) if source else None
    form = pretrained.preprocessing if pretrained else pretrained_input_in(previous)
    wanted = decided_in(previous) if previous and recipe.model.pretrained else wanted_by(form)
    data = open_images(recipe.data, device, wanted)
    # Each tensor is drawn on the CPU by itself: equal layers begin equal on every device and in every row of a study.
    with seeded_init(recipe.train.seed):
        network = build_network(architecture(recipe), data.classes, data.preprocessing)
    notes: list[str] = []
    if pretrained:
        notes = [*load_weights(network, pretrained, data.classes), *input_notes(pretrained, data.preprocessing)]
    network = network.to(device).to(memory_format=_layout(recipe))
    if recipe.transfer.whiten and not previous:
        whiten(network, training_images(recipe, data, device, _layout(recipe), most=WHITENED))
    probe = None
    if recipe.transfer.head == "fitted" and pretrained and pretrained.classes != data.classes:
        probe = fit_head(network, training_images(recipe, data, device, _layout(recipe)), len(data.classes))
        notes.append(
            f"the head begins as a linear probe: logistic regression on the features (L2 penalty {probe.strength:g})"
            if probe
            else "the head begins at zero: it is no single linear layer that could be fitted to features"
        )
    components = _assemble(recipe, data, network, notes, device, ranks)
    doubts = _doubts(recipe, len(components.batches))
    components = replace(components, pretrained_input=form, is_probe=probe is not None, doubts=doubts)
    if recipe.train.compile:
        network.compile()  # after its average was made, which is evaluated and not worth compiling
    return components


def _doubts(recipe: Recipe, steps_per_epoch: int) -> list[str]:
    if recipe.train.ema is None or recipe.model.pretrained:  # pretrained weights are worth holding
        return []
    return [remark] if (remark := lag_remark(recipe.train.ema, last_epoch(recipe.train) * steps_per_epoch)) else []


def check_recipe(recipe: Recipe, data: Data) -> None:
    """Raise what ``build`` would raise, but use no memory for a network.

    A recipe with pretrained weights or a teacher is passed over, because these would have to be loaded.

    Args:
        recipe: names the components.
        data: the images of ``recipe.data``.

    Raises:
        ValueError: something does not exist or fit.
    """
    if recipe.model.pretrained or recipe.loss.teacher:
        return
    with torch.device("meta"):
        network = build_network(architecture(recipe), data.classes, data.preprocessing)
    _assemble(recipe, data, network, [], torch.device("cpu"))


def _assemble(
    recipe: Recipe, data: Data, network: nn.Module, notes: Sequence[str], device: torch.device, ranks: Ranks = ALONE
) -> Components:
    """Build all that the data and the network, which are on the device, still need to train."""
    check_processes(recipe, network, ranks)
    fix(recipe, network)
    check_sides(recipe, network, data.preprocessing, partial(_network_at, recipe, data))
    feed = build_feed(recipe, data, device, _layout(recipe), ranks)
    groups, loss_fn = layer_groups(network), _loss(recipe, data, device)
    ends = _ends(recipe, len(groups))
    update = _update(recipe, network, groups, ends, len(feed.train), device)
    freeze, parameters = _freezing(recipe, network, groups, ends), count_parameters(network)
    return Components(
        data, network, feed.train, feed.splits, feed.sample, loss_fn, update, freeze, parameters, notes, device
    )


def _network_at(recipe: Recipe, data: Data, size: int) -> nn.Module:
    return build_network(architecture(recipe), data.classes, replace(data.preprocessing, size=size))


def _layout(recipe: Recipe) -> torch.memory_format:
    return torch.channels_last if recipe.train.channels_last else torch.contiguous_format


def _ends(recipe: Recipe, groups: int) -> list[int]:
    """For how many epochs each group of layers may learn."""
    epochs, first = recipe.train.epochs, recipe.schedule.freeze_out
    return [epochs] * groups if first is None else freeze_out(groups, epochs, first)


def _freezing(recipe: Recipe, network: nn.Module, groups: LayerGroups, ends: Sequence[int]) -> Callable[[int], None]:
    """The function that sets which layers learn in an epoch, given its number from 0."""
    chosen = recipe.transfer
    if not recipe.model.pretrained and (chosen.freeze != "none" or chosen.freeze_norms or chosen.head != "zero"):
        raise ValueError("transfer.freeze, freeze_norms and head need model.pretrained: random weights are useless")
    options = chosen.model_dump(include={"unfreeze_after", "unfreeze_every"})
    learning = build_learning(chosen.freeze, **options)  # which refuses options that it would not obey
    if recipe.schedule.freeze_out is not None:
        learning = until(ends)
    return lambda epoch: freeze_for(network, groups, epoch, learning, frozen_norms=chosen.freeze_norms)


def _update(
    recipe: Recipe,
    network: nn.Module,
    groups: LayerGroups,
    ends: Sequence[int],
    steps_per_epoch: int,
    device: torch.device,
) -> Update:
    """The optimizer of the network's parameters, with its schedule, precision and average."""
    chosen, rate, epochs = recipe.optim, recipe.top_rate, recipe.train.epochs
    factors = rate_factors(groups, **recipe.transfer.model_dump(include={"layer_decay", "head_lr"}))
    parameters = parameter_groups(
        network,
        lr=rate,
        weight_decay=chosen.weight_decay,
        decay=chosen.decay,
        factors=factors,
        bias_lr=chosen.bias_lr,
        spans={name: end / epochs for group, end in zip(groups, ends, strict=True) for name in group},
    )
    optimizer = build_optimizer(groups=parameters, **{**chosen.options(), "lr": rate})
    scheduler = attach(
        _schedule(recipe), optimizer, epochs=epochs, steps_per_epoch=steps_per_epoch, update=recipe.schedule.update
    )
    train, steps = recipe.train, epochs * steps_per_epoch
    average = average_of(
        network, train.ema, every=train.lookahead, share=train.lookahead_share, curve=train.lookahead_curve, steps=steps
    )
    return Update(optimizer, scheduler, Precision.named(train.precision, device), chosen.clip, average)


def learning_rate(recipe: Recipe) -> Callable[[float], float]:
    """The learning rate as a function of progress in epochs; raises ``ValueError`` for an impossible schedule."""
    schedule, rate = _schedule(recipe), recipe.top_rate
    if recipe.schedule.update == "epoch":
        return lambda epoch: rate * schedule(math.floor(epoch))
    return lambda epoch: rate * schedule(epoch)


def _schedule(recipe: Recipe) -> Schedule:
    return build_schedule(epochs=recipe.train.epochs, **recipe.schedule.model_dump(exclude={"update", "freeze_out"}))


def _loss(recipe: Recipe, data: Data, device: torch.device) -> LossFunction:
    """The loss, with the teacher ready on the device."""
    name = recipe.loss.teacher
    teacher = find_teacher(name, data.classes, data.preprocessing, device) if name else None
    return build_loss(teacher=teacher, **recipe.loss.model_dump(exclude={"teacher"}))


def architecture(recipe: Recipe) -> dict[str, Any]:
    """The network's name and given options, as the model file holds them; its pretrained weights are not among them."""
    return recipe.model.model_dump(exclude_none=True, exclude={"pretrained"})
