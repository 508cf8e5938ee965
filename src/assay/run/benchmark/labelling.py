"""Labelling a folder of JPEG files: by assay, by the loop that tutorials show, and by ONNX Runtime fed by that loop."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from assay.classifier.classifier import Classifier, build_network, ready
from assay.classifier.prediction import predict_images
from assay.data.decode import default_workers
from assay.data.inputs import find_inputs
from assay.data.preprocess import Preprocessing
from assay.models.seeded_init import seeded_init
from assay.run.benchmark.gauge import Cost, Gauge
from assay.run.benchmark.plain import label_plainly

_WIDTH, _HEIGHT = 500, 375  # pixels of a file, as ImageNet's are in the mean
_FORM = Preprocessing(3, 224, 224, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225), crop_pct=0.875)
_CLASSES = tuple(map(str, range(1000)))
ONNX_PACKAGES = ("onnxruntime", "onnx", "onnxscript")
"""what ONNX Runtime needs to label with a network of torch's"""


@dataclass(frozen=True)
class LabellingCosts:
    """What labelling a folder of JPEG files with a ResNet-18 at 224 pixels takes, from files to labels.

    Attributes:
        images: their number.
        ours: of ``predict_images``, with the processes that it starts.
        plain: of the plain loop.
        onnx: of that loop with ONNX Runtime in the place of torch; None where it is not installed.
    """

    images: int
    ours: Cost
    plain: Cost
    onnx: Cost | None


def measure_labelling(gauge: Gauge, images: int, architecture: dict[str, str | float]) -> LabellingCosts:
    """Write so many JPEG files, label them in each way, and delete them."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        write_photos(folder, images)
        ours = gauge.ours(partial(_our_seconds, architecture, folder, gauge.device))
        plain = gauge.others(partial(_plain_seconds, architecture, folder, gauge.device))
        has_onnx = all(map(find_spec, ONNX_PACKAGES))
        onnx = gauge.others(partial(_onnx_seconds, architecture, folder, gauge)) if has_onnx else None
    return LabellingCosts(images, ours, plain, onnx)


def write_photos(folder: Path, count: int) -> None:
    """Write JPEG files of 500x375 pixels: blurred noise with a little sharp noise, about as large as photos are."""
    draw = np.random.default_rng(0)
    for number in range(count):
        coarse = Image.fromarray(draw.integers(0, 256, (12, 16, 3), dtype=np.uint8))
        smooth = np.asarray(coarse.resize((_WIDTH, _HEIGHT), Image.Resampling.BICUBIC), dtype=np.float32)
        sharp = draw.normal(0, 8, (_HEIGHT, _WIDTH, 1))
        pixels = (smooth + sharp).clip(0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"{number:05d}.jpg", quality=90)


def _network(architecture: dict[str, str | float]) -> nn.Module:
    with seeded_init(0):
        return build_network(architecture, _CLASSES, _FORM).eval()


def _our_seconds(architecture: dict[str, str | float], folder: Path, device: torch.device) -> float:
    classifier = ready(Classifier(_network(architecture), architecture, _CLASSES, _FORM), device)
    workers = default_workers()
    return _seconds(
        lambda: predict_images(classifier, find_inputs([folder]), top=1, device=device, workers=workers, skip_bad=False)
    )


def _plain_seconds(architecture: dict[str, str | float], folder: Path, device: torch.device) -> float:
    network = _network(architecture).to(device)

    @torch.no_grad()
    def scores(images: Tensor) -> Tensor:
        found: Tensor = network(images.to(device))
        return found.cpu()

    return _seconds(lambda: label_plainly(scores, sorted(folder.iterdir())))


def _onnx_seconds(architecture: dict[str, str | float], folder: Path, gauge: Gauge) -> float:
    import onnxruntime

    provider = "CUDAExecutionProvider" if gauge.device.type == "cuda" else "CPUExecutionProvider"
    example = torch.zeros(2, 3, _FORM.size, _FORM.size)
    with TemporaryDirectory() as name:
        file = str(Path(name) / "network.onnx")
        batch = {"x": {0: torch.export.Dim("batch")}}
        torch.onnx.export(_network(architecture), (example,), file, dynamic_shapes=batch, verbose=False)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = gauge.threads
        session = onnxruntime.InferenceSession(file, options, providers=[provider])
    (entry,) = session.get_inputs()

    def scores(images: Tensor) -> Tensor:
        return torch.from_numpy(session.run(None, {entry.name: images.numpy()})[0])

    return _seconds(lambda: label_plainly(scores, sorted(folder.iterdir())))


def _seconds(do: Callable[[], object]) -> float:
    began = time.perf_counter()
    do()
    return time.perf_counter() - began
