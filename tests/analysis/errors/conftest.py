"""Run folders that are made without training: a network of digits that has learned nothing, and chosen scores."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file

from assay.analysis.errors.runs import EvaluatedRun
from assay.classifier.classifier import Classifier, build_network
from assay.classifier.evaluation import Evaluation
from assay.data.preprocess import Preprocessing
from assay.data.sources import digits

DIGITS = {"name": "digits", "held_out": 0.1, "test": 0.2, "split_seed": 0}
MakeRun = Callable[..., Path]
MakeEvaluated = Callable[..., EvaluatedRun]


@pytest.fixture(scope="session")
def test_labels() -> np.ndarray:
    """Those of the test split of digits."""
    return digits(Path()).splits["test"].labels


def noisy_scores(labels: np.ndarray, seed: int, classes: int = 10) -> np.ndarray:
    """Scores ``[N, K]`` that are right for about three images in four."""
    generator = np.random.default_rng(seed)
    scores = generator.normal(size=(len(labels), classes)).astype(np.float32)
    scores[np.arange(len(labels)), labels] += 2.5
    return scores


@pytest.fixture
def make_run() -> MakeRun:
    """A function that writes a run folder: a finished one where scores are given, by split."""

    def make(
        folder: Path,
        scores: Mapping[str, tuple[np.ndarray, np.ndarray]] | None = None,
        *,
        data: Mapping[str, Any] = DIGITS,
        classes: Sequence[str] = tuple("0123456789"),
        metrics: Mapping[str, Any] | None = None,
    ) -> Path:
        torch.manual_seed(0)
        how = Preprocessing(1, 8, 16, (0.3,), (0.4,))
        network = build_network({"name": "simple-cnn"}, tuple(classes), how).eval()
        folder.mkdir(parents=True)
        classifier = Classifier(network, {"name": "simple-cnn"}, tuple(classes), how, data, metrics or {})
        classifier.save(folder / "model.safetensors")
        if scores is not None:
            tensors = {}
            for split, (values, labels) in scores.items():
                tensors |= {f"{split}.scores": values, f"{split}.labels": labels}
            save_file(tensors, folder / "scores.safetensors")
            (folder / "summary.json").write_text(json.dumps({"status": "finished"}))
        return folder

    return make


@pytest.fixture
def digits_run(make_run: MakeRun, test_labels: np.ndarray, tmp_path: Path) -> Callable[[int], Path]:
    """A function that makes a finished run on digits from a seed."""

    def make(seed: int) -> Path:
        return make_run(tmp_path / f"run-{seed}", {"test": (noisy_scores(test_labels, seed), test_labels)})

    return make


@pytest.fixture
def make_evaluated() -> MakeEvaluated:
    """A function that makes an evaluated run from rows of probabilities."""

    def make(run: str, probabilities: Any, labels: Sequence[int], names: Sequence[str] | None = None) -> EvaluatedRun:
        scores = torch.as_tensor(np.log(np.asarray(probabilities, dtype=np.float64)).astype(np.float32)).double()
        classes = tuple("abcdefghij"[: scores.shape[1]])
        numbered = [f"test/{row:05d}" for row in range(len(scores))]
        return EvaluatedRun(run, "test", Evaluation(scores, torch.as_tensor(labels), classes, names or numbered))

    return make
