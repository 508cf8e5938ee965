"""What runs get wrong: plain values, which a page or a program can show in its own way."""

from __future__ import annotations

from dataclasses import dataclass, field

from assay.classifier.calibration import Bin
from assay.data.dataset import Dataset
from assay.data.images import BadImageError


@dataclass(frozen=True)
class Mistake:
    """A wrongly answered image.

    Attributes:
        index: its row in the split, from 0.
        name: its file name, or split and number.
        label: the name of the right class.
        predicted: the name of the answered class.
        confidence: the probability of that answer, in [0, 1].
        probability_of_label: that of the right class, in [0, 1].
        runs_wrong: how many of the runs get the image wrong, at least 1.
    """

    index: int
    name: str
    label: str
    predicted: str
    confidence: float
    probability_of_label: float
    runs_wrong: int


@dataclass(frozen=True)
class Confusion:
    """Images of one class that are taken for another.

    Attributes:
        label: the name of the right class.
        predicted: the name of the answered one.
        count: how many images; of several runs the mean.
        of: how many images the right class has, at least 1.
    """

    label: str
    predicted: str
    count: float
    of: int

    @property
    def share(self) -> float:
        """``count`` of the label's images, in [0, 1]."""
        return self.count / self.of


@dataclass(frozen=True)
class WrongInRuns:
    """How many images are wrong in so many of the runs.

    Attributes:
        runs: how many runs get them wrong, from 0 to all.
        images: how many images are wrong in exactly so many runs.
        if_independent: the expected number of such images if every run erred as often as it does, but independently of
            the others.
    """

    runs: int
    images: int
    if_independent: float


@dataclass(frozen=True)
class Flip:
    """An image that one of two runs gets right and the other wrong.

    Attributes:
        index: its row in the split, from 0.
        name: its file name, or split and number.
        label: the name of the right class.
        predicted: what the first run answers.
        confidence: the probability of that answer, in [0, 1].
        other_predicted: what the other answers.
        other_confidence: the probability of that answer, in [0, 1].
        gained: whether the first run is the one that is right.
    """

    index: int
    name: str
    label: str
    predicted: str
    confidence: float
    other_predicted: str
    other_confidence: float
    gained: bool


@dataclass(frozen=True)
class Flips:
    """The images that only one of two runs gets right.

    Attributes:
        run: the first run.
        other: the one that it is compared with.
        gained: images that only the first run gets right.
        lost: images that only the other gets right.
        p: of McNemar's exact two-sided test that gained and lost images are equally likely.
        images: those images, the gained before the lost, the surest wrong answers first.
    """

    run: str
    other: str
    gained: int
    lost: int
    p: float
    images: tuple[Flip, ...]


@dataclass(frozen=True)
class LabelIssue:
    """An image whose label is likely to be wrong.

    Attributes:
        index: its row in the split, from 0.
        name: its file name, or split and number.
        given: the name of the class that it is labelled with.
        suggested: the name of the most probable class.
        confidence: the probability of ``suggested``, in [0, 1].
        probability_of_given: that of ``given``, in [0, 1].
    """

    index: int
    name: str
    given: str
    suggested: str
    confidence: float
    probability_of_given: float


@dataclass(frozen=True)
class LabelIssues:
    """The labels of a split that are likely to be wrong.

    Attributes:
        split: whose labels were looked at.
        images: how many images it has.
        found: how many labels are likely to be wrong.
        items: those images, the least probable label first.
        dataset: the split's images by ``index``; None where the data could not be opened.
    """

    split: str
    images: int
    found: int
    items: tuple[LabelIssue, ...]
    dataset: Dataset | None = field(default=None, repr=False, compare=False)


@dataclass(frozen=True)
class Calibration:
    """How well a run's confidence agrees with its accuracy.

    Attributes:
        run: as it was named.
        error: the expected calibration error over the bins (Guo et al. 2017, equation 3), in [0, 1].
        bins: 15 equal ranges of confidence.
    """

    run: str
    error: float
    bins: tuple[Bin, ...]


@dataclass(frozen=True)
class Errors:
    """What one or several runs get wrong on the same images.

    Attributes:
        runs: as they were named; the first is the one whose mistakes are listed.
        classes: the names of the K classes.
        split: that the runs were evaluated on.
        images: how many images it has.
        wrong: how many each run gets wrong.
        mistakes: the wrongly answered images of the first run, the most confident first.
        confusions: pairs of classes, the most often confused first; the mean over the runs.
        calibration: one for each run.
        wrong_in_runs: how many images are wrong in 0, 1... of the runs; empty for a single one.
        always_wrong: the images that all of several runs get wrong, the most confident first: with the answer that
            most of them give, and the mean of their probabilities; empty for a single run.
        flips: against another run; None where none was named.
        label_issues: None where they were not asked for.
        remarks: what a reader should know, one line each.
        left_out: images that could not be decoded, where these were to be skipped.
        dataset: the split's images by ``index``; None where the data could not be opened.
    """

    runs: tuple[str, ...]
    classes: tuple[str, ...]
    split: str
    images: int
    wrong: tuple[int, ...]
    mistakes: tuple[Mistake, ...]
    confusions: tuple[Confusion, ...]
    calibration: tuple[Calibration, ...]
    wrong_in_runs: tuple[WrongInRuns, ...] = ()
    always_wrong: tuple[Mistake, ...] = ()
    flips: Flips | None = None
    label_issues: LabelIssues | None = None
    remarks: tuple[str, ...] = ()
    left_out: tuple[BadImageError, ...] = ()
    dataset: Dataset | None = field(default=None, repr=False, compare=False)

    @property
    def always_wrong_count(self) -> int:
        """How many images all of several runs get wrong, whether listed or not; 0 for a single run."""
        return self.wrong_in_runs[-1].images if self.wrong_in_runs else 0
