"""The sections of a recipe: every field with its unit in its description and its range in its type.

A field that is None takes the default of the thing that it configures (a model's own stem, an
optimizer's own momentum); a field that the chosen model, optimizer or schedule does not have is
refused when the run is built, never ignored.
"""

from __future__ import annotations

from assay.base.strict_model import StrictModel
from assay.recipe.sections.augment import AugmentSection
from assay.recipe.sections.data import DataSection
from assay.recipe.sections.loss import LossSection
from assay.recipe.sections.model import ModelSection
from assay.recipe.sections.optim import OptimSection
from assay.recipe.sections.probe import ProbeSection
from assay.recipe.sections.schedule import ScheduleSection
from assay.recipe.sections.test import TestSection
from assay.recipe.sections.train import TrainSection
from assay.recipe.sections.transfer import TransferSection


class Sections(StrictModel):
    """A recipe's sections, in the order of its YAML."""

    data: DataSection = DataSection()
    augment: AugmentSection = AugmentSection()
    model: ModelSection = ModelSection()
    optim: OptimSection = OptimSection()
    schedule: ScheduleSection = ScheduleSection()
    loss: LossSection = LossSection()
    transfer: TransferSection = TransferSection()
    train: TrainSection = TrainSection()
    test: TestSection = TestSection()
    probe: ProbeSection = ProbeSection()
