"""Whether a new head gives all classes the same score, in every network of torchvision and timm.

python benchmarks/new_heads.py                                  all 1,450 names: hours
python benchmarks/new_heads.py 'timm:levit*' 'torchvision:*'    some of them
python benchmarks/new_heads.py --largest 0                      layers only, nothing is run

Each network is made twice without memory, for 5 and for 7 classes: the layers whose tensors differ give the scores, and
must be those that `final_layers` finds. If it has at most --largest million parameters it is then made for real, at the
smallest size that it takes. Its weights for 7 classes are loaded into it for 5: on random images the scores must be
equal, so that the loss is ln(5), and a gradient must reach each final layer, in evaluation and in training mode.
"""

from __future__ import annotations

import argparse
import fnmatch
import math
import sys
import warnings
from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import nn

from assay.models import build_model, count_parameters
from assay.models.library import LIBRARIES, input_size
from assay.models.structure import final_layers
from assay.models.weights import Pretrained, load_weights

SIZES = (32, 64, 96, 128)
CLASSES, OTHERS = 5, 7


def main() -> int:
    options = parse()
    warnings.simplefilter("ignore")  # of constructors
    every = [f"{prefix}:{name}" for prefix, library in LIBRARIES.items() for name in library.names()]
    names = [name for name in every if any(fnmatch.fnmatch(name, pattern) for pattern in options.names)]
    failed = ran = no_classifiers = 0
    for place, name in enumerate(names):
        print(f"{place + 1}/{len(names)} {name}".ljust(79), end="\r", file=sys.stderr, flush=True)
        size = smallest_size(name)
        if size is None:
            no_classifiers += 1
            continue
        is_small = count_parameters(on_meta(name, CLASSES, size)) <= 1e6 * options.largest
        ran += is_small
        findings = [*wrong_layers(name, size), *(wrong_scores(name, size) if is_small else ())]
        failed += bool(findings)
        for finding in findings:
            print(f"{name} at {size} pixels: {finding}", flush=True)
    print(f"{len(names)} networks, {ran} of them run; {no_classifiers} give no scores; {failed} fail")
    return int(failed > 0)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", default=["*"], help="of networks, with * and ? as in file names")
    parser.add_argument("--largest", type=float, default=100, help="million parameters of a network that is run")
    return parser.parse_args()


def on_meta(name: str, classes: int, size: int) -> nn.Module:
    with torch.device("meta"):
        return build_model(name, classes=classes, image_size=size)


def smallest_size(name: str) -> int | None:
    """One of a few sizes that the network takes; None if it takes none, for it is no classifier."""
    for size in (*SIZES, input_size(name)):
        try:
            on_meta(name, CLASSES, size)
        except ValueError:
            continue
        return size
    return None


def wrong_layers(name: str, size: int) -> Iterator[str]:
    few, many = (on_meta(name, classes, size) for classes in (CLASSES, OTHERS))
    shapes = {key: tensor.shape for key, tensor in many.state_dict().items()}
    by_shape = {key.rpartition(".")[0] for key, tensor in few.state_dict().items() if tensor.shape != shapes[key]}
    if by_shape != set(final_layers(few)):
        yield f"the scores come from {sorted(by_shape)}, not {sorted(final_layers(few))}"


def wrong_scores(name: str, size: int) -> Iterator[str]:
    torch.manual_seed(0)
    source, target = (build_model(name, classes=classes, image_size=size) for classes in (OTHERS, CLASSES))
    try:
        load_weights(target, Pretrained(source.state_dict(), "itself"))
    except ValueError as error:
        yield str(error)
        return
    images = torch.randn(CLASSES, 3, size, size)
    for is_training in (False, True):
        scores = target.train(is_training)(images)
        loss = F.cross_entropy(scores, torch.arange(CLASSES))
        target.zero_grad()
        loss.backward()
        mode = "training" if is_training else "evaluation"
        spread = (scores.amax(1) - scores.amin(1)).max().item()
        if not spread < 1e-5:  # nor may it be nan
            yield f"in {mode} the scores of an image differ by up to {spread:.2g}, the loss is {loss.item():.3f}"
        gradients = [target.get_parameter(f"{layer}.weight").grad for layer in final_layers(target)]
        if not all(gradient is not None and gradient.abs().max() > 0 for gradient in gradients):
            yield f"in {mode} no gradient reaches {final_layers(target)}"
    if not math.isclose(loss.item(), math.log(CLASSES), rel_tol=1e-5):
        yield f"the first loss is {loss.item():.3f}, not ln({CLASSES})"


if __name__ == "__main__":
    sys.exit(main())
