"""The sections of a recipe: every field with its unit in its description and its range in its type.

A field that is None takes the default of the thing that it configures (a model's own stem, an
optimizer's own momentum); a field that the chosen model, optimizer or schedule does not have is
refused when the run is built, never ignored.
"""

from assay.sections.augment import AugmentSection
from assay.sections.base import Section
from assay.sections.data import DataSection
from assay.sections.loss import LossSection
from assay.sections.model import ModelSection
from assay.sections.optim import OptimSection
from assay.sections.probe import ProbeSection
from assay.sections.schedule import ScheduleSection
from assay.sections.test import TestSection
from assay.sections.train import TrainSection
from assay.sections.transfer import TransferSection

__all__ = [
    "AugmentSection",
    "DataSection",
    "LossSection",
    "ModelSection",
    "OptimSection",
    "ProbeSection",
    "ScheduleSection",
    "Section",
    "TestSection",
    "TrainSection",
    "TransferSection",
]
