"""Find the weights that a recipe names: by a library's name for them, in a file, or in a run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from assay.classifier.classifier import is_model_file, load
from assay.models.library import LIBRARIES, split_name
from assay.models.weights import InputForm, Pretrained, is_default, read_weights

_SUFFIXES = (".safetensors", ".pt", ".pth", ".bin")


def find_pretrained(value: str, name: str, **options: Any) -> Pretrained:
    """Find the weights that ``model.pretrained`` names for a model.

    Args:
        value: ``default`` or ``imagenet`` (the default weights of the model's library), the library's name
            for others (``IMAGENET1K_V1``, ``a1_in1k``), a state dict (``.safetensors``, ``.pt``, ``.pth``),
            a run folder, or its ``model.safetensors``. Our ResNets and VGGs take torchvision's weights.
        name: the model's name.
        options: the model's options.

    Raises:
        ValueError: nothing has that name, the file holds no weights, or a download failed.
    """
    path = Path(value).expanduser()
    if not is_default(value) and path.exists():  # a folder called "default" is not meant
        return _from_run(path) if path.is_dir() or is_model_file(path) else Pretrained(read_weights(path), str(path))
    if path.suffix in _SUFFIXES or len(path.parts) > 1:
        raise ValueError(f"model.pretrained: no such file or run folder: {value}")
    if ":" in name:
        library, own = split_name(name)
    else:  # our own models have the parameters of torchvision's models of that name
        library, own = LIBRARIES["torchvision"], name + "_bn" * bool(options.get("batch_norm"))
        if own not in library.names():
            raise ValueError(f"model.pretrained: no weights of {name} have names; give a file or a run folder")
    return library.weights(own, value)


def _from_run(path: Path) -> Pretrained:
    classifier = load(path)
    how = classifier.preprocessing
    wanted = InputForm(how.size, how.interpolation, how.crop_pct, how.mean, how.std)
    return Pretrained(classifier.network.state_dict(), f"the run {path}", wanted, classifier.classes)
