"""The sections of a recipe: every field with its unit in its description and its range in its type.

A field that is None takes the default of the thing that it configures (a model's own stem, an
optimizer's own momentum); a field that the chosen model, optimizer or schedule does not have is
refused when the run is built, never ignored.
"""

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

__all__ = [
    "AugmentSection",
    "DataSection",
    "LossSection",
    "ModelSection",
    "OptimSection",
    "ProbeSection",
    "ScheduleSection",
    "TestSection",
    "TrainSection",
    "TransferSection",
]
