"""Pictures as ``data:`` addresses, small enough that many fit into a page."""

from __future__ import annotations

import base64
import io
import math

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

from assay.data.pictures import mosaic, to_image
from assay.models.kernels import Kernels

_LARGEST = 112  # pixels of a picture's side
_LOSSLESS = 48  # pixels of a side, up to which a picture is kept bit by bit
_KERNELS = 64


def thumbnail(pixels: NDArray[np.uint8]) -> str:
    """Return a small picture's address.

    Args:
        pixels: uint8 ``[H, W, C]``, C 1 (grey) or 3 (RGB). One of at most 48 pixels a side becomes a PNG file with
            the same pixels, a larger one a WebP file of at most 112 pixels a side.
    """
    image = to_image(pixels)
    if max(image.size) <= _LOSSLESS:
        return image_address(image)
    image.thumbnail((_LARGEST, _LARGEST))
    return image_address(image, "webp")


def kernel_mosaic(kernels: Kernels) -> tuple[str, str]:
    """Return the address of the first layer's kernels, at most 64, as one picture; and a description of it."""
    pictures = kernels.pictures(_KERNELS)
    outputs, inputs, height, width = kernels.weights.shape
    shown = min(outputs, _KERNELS)
    if kernels.coloured:
        colours, how = pictures, "in colours: mid grey is the weight 0"
    else:
        colours = matplotlib.colormaps["RdBu_r"](0.5 + 0.5 * pictures)[..., :3]
        side = f", {kernels.per_filter} of {inputs} input channels side by side" if inputs > 1 else ""
        how = f"red where the weight is positive, blue where it is negative{side}"
    what = f"{shown} of {outputs} kernels of {kernels.layer}, {height}x{width}"
    said = f"{what}, {how}; each scaled to its own largest weight"
    pixels = (255 * colours).round().astype(np.uint8)
    opaque = np.concatenate([pixels, np.full((*pixels.shape[:3], 1), 255, np.uint8)], axis=-1)
    columns = kernels.per_filter * math.ceil(math.sqrt(2 * shown))  # about twice as wide as high
    # The gaps are transparent: the page may be white or black.
    return image_address(to_image(mosaic(opaque, columns, gap=1, fill=0))), said


def svg(figure: Figure) -> str:
    """Return a figure's address."""
    buffer = io.StringIO()
    # With the missing date: equal figures give equal files.
    with matplotlib.rc_context({"svg.hashsalt": "assay"}):
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    return _encoded(buffer.getvalue().encode(), "svg+xml")


def image_address(image: Image.Image, kind: str = "png") -> str:
    """Return the address of an image in one of Pillow's formats, such as ``png`` or ``webp``."""
    buffer = io.BytesIO()
    image.save(buffer, kind)
    return _encoded(buffer.getvalue(), kind)


def _encoded(content: bytes, kind: str) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"
