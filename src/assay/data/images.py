"""Images as they are stored: files, archive members, Parquet rows, arrays; opened one at a time."""

from __future__ import annotations

import bisect
import io
import itertools
import logging
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path, PurePath
from typing import BinaryIO, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from assay.base.text import shorten
from assay.data.places import Place, UnreachableError

T = TypeVar("T")

quiet = partial(warnings.catch_warnings, action="ignore")
"""Silences Pillow's warnings about files that it can read; entered once for many images."""

logging.getLogger("PIL").addHandler(logging.NullHandler())  # what it says of a bad file stands in the error's line

EXTENSIONS = frozenset(
    f".{kind}"
    for kind in "jpg jpeg jpe jfif png bmp dib gif webp tif tiff ppm pgm pbm pnm jp2 avif ico tga heic heif jxl".split()  # noqa: SIM905
)
_NEED_PLUGINS = (".heic", ".heif", ".jxl")  # Pillow alone reads none, and passed over they would not be missed

_EXCERPT = 4096  # bytes
_BITS_PER_SAMPLE = 258  # TIFF's number for it
_MODE_OF_CHANNELS = {1: "L", 3: "RGB"}
_WHOLE_NUMBERS = ("I;16", "I;16L", "I;16B", "I;16N", "I")


class BadImageError(ValueError):
    """An image that cannot be decoded. The message is one line that begins with its name."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"{name}: {' '.join(reason.split())}")
        self.name = name
        self.reason = reason

    def __reduce__(self) -> tuple[type[BadImageError], tuple[str, str]]:
        return type(self), (self.name, self.reason)


class Images(Protocol):
    """A sequence of named, still encoded images."""

    @property
    def names(self) -> Sequence[str]:
        """A name for each image: its path, its place in an archive, or its row."""

    def open(self, index: int) -> Image.Image:
        """The image, perhaps not decoded yet.

        Raises:
            BadImageError: it is not an image.
        """

    def excerpt(self, index: int) -> bytes:
        """The image's length as it is stored, and up to 4 KiB of it; empty if it cannot be read."""


@dataclass(frozen=True)
class ArrayImages:
    """Images that are decoded already: uint8 ``[N, H, W]`` or ``[N, H, W, 3]``."""

    pixels: NDArray[np.uint8]
    names: Sequence[str]

    def open(self, index: int) -> Image.Image:
        """The image at ``index``."""
        return Image.fromarray(self.pixels[index])

    def excerpt(self, index: int) -> bytes:
        """Of the pixels."""
        return _excerpt(self.pixels[index].tobytes())


@dataclass(frozen=True)
class FileImages:
    """Image files."""

    paths: Sequence[Path]
    names: Sequence[str]

    def open(self, index: int) -> Image.Image:
        """The image in the file at ``index``; raises ``BadImageError``."""
        return open_image(self.paths[index], self.names[index])

    def excerpt(self, index: int) -> bytes:
        """Of the file; empty if there is none."""
        try:
            with self.paths[index].open("rb") as file:
                return _excerpt(file)
        except OSError:
            return b""


@dataclass(frozen=True)
class Parts:
    """Images that are read together: the first of each part, and the number of images, int64 ``[G + 1]``."""

    starts: NDArray[np.int64]
    window: int
    """parts that an epoch's order mixes at a time, which memory is to hold (windows.py)"""
    forget: Callable[[], None]  # drops the parts that memory holds


@dataclass(frozen=True)
class EncodedImages:
    """Images as encoded bytes, or files of such, that ``read`` fetches: rows of Parquet files, members of archives."""

    read: Callable[[int], bytes | BinaryIO | None]
    names: Sequence[str]
    files: Sequence[Place]
    """the files that the bytes come from"""
    parts: Parts | None = None
    """those that are read as a whole; None where each image is by itself"""
    stored: Callable[[int], bytes] | None = None
    """gives what stands for an image's bytes where these are dear to read; None for an excerpt of the bytes"""

    def open(self, index: int) -> Image.Image:
        """The image at ``index``; raises ``BadImageError``, or ``UnreachableError`` where the connection fails."""
        try:
            content = self.read(index)
        except UnreachableError:  # the image may be a good one, and must not be left out as a bad one
            raise
        except Exception as error:
            raise BadImageError(self.names[index], f"cannot be read ({shorten(str(error), 200)})") from None
        if not content:
            raise BadImageError(self.names[index], "has no bytes")
        return open_image(io.BytesIO(content) if isinstance(content, bytes) else content, self.names[index])

    def excerpt(self, index: int) -> bytes:
        """Of the encoded image; empty if it cannot be read."""
        if self.stored is not None:
            return self.stored(index)
        try:
            return _excerpt(self.read(index) or b"")
        except Exception:  # as at opening it, which then says why
            return b""


@dataclass(frozen=True)
class ChainedImages:
    """Several collections of images, one after the other."""

    parts: Sequence[Images]

    @cached_property
    def names(self) -> Sequence[str]:
        """All names in order."""
        return list(itertools.chain.from_iterable(part.names for part in self.parts))

    @cached_property
    def _starts(self) -> list[int]:
        return list(itertools.accumulate((len(part.names) for part in self.parts), initial=0))

    def open(self, index: int) -> Image.Image:
        """The image at ``index``; raises ``BadImageError``."""
        part, place = self._place(index)
        return part.open(place)

    def excerpt(self, index: int) -> bytes:
        """Of the image at ``index``."""
        part, place = self._place(index)
        return part.excerpt(place)

    def _place(self, index: int) -> tuple[Images, int]:
        part = bisect.bisect_right(self._starts, index) - 1
        return self.parts[part], index - self._starts[part]


def _excerpt(content: bytes | BinaryIO) -> bytes:
    file = io.BytesIO(content) if isinstance(content, bytes) else content
    length = file.seek(0, io.SEEK_END)
    file.seek(max(0, length - _EXCERPT) // 2)  # the middle: files of one kind begin alike
    return length.to_bytes(8, "big") + file.read(_EXCERPT)


def open_image(file: Path | BinaryIO, name: str) -> Image.Image:
    """Open an image without decoding its pixels.

    Raises:
        BadImageError: missing, empty, not an image, a program (PostScript), or of more than 89 million
            pixels, which is the size from which Pillow suspects a decompression bomb.
    """
    image = _guarded(name, lambda: Image.open(file))
    if image.format == "EPS":  # Pillow would have Ghostscript run it
        image.close()
        raise BadImageError(name, "PostScript is a program, not an image")
    if Image.MAX_IMAGE_PIXELS and image.width * image.height > Image.MAX_IMAGE_PIXELS:
        image.close()
        raise BadImageError(name, f"too large: {image.width}x{image.height} pixels")
    return image


def to_pixels(
    image: Image.Image,
    name: str,
    *,
    channels: int,
    reshape: Callable[[Image.Image], Image.Image] = lambda image: image,
) -> NDArray[np.uint8]:
    """Decode an image of any mode to uint8 ``[channels, H, W]``, upright.

    Transparent pixels are laid over white. Gray levels of more than 8 bits become 8 bits by Pillow's mode of the image:
    ``"I;16"`` and its byte orders hold 0 to 65535, which is divided by 257; ``"I"`` has 32 bits,
    and names no range: an image whose values end at 255 is taken as it is, one whose values end at 65535 as 16 bits,
    and any other is refused; a TIFF of 16 bits with a sign is one of 16 bits; ``"F"``, floating point, is refused.

    Args:
        image: an opened image.
        name: what to call it in an error.
        channels: 1 (grayscale) or 3 (RGB).
        reshape: scales or crops the upright image; without it the size is kept.

    Raises:
        BadImageError: corrupt or truncated, or of a mode without a defined range.
    """
    plain = to_plain(image, name, channels=channels)
    return _guarded(name, lambda: np.atleast_3d(np.asarray(reshape(plain))).transpose(2, 0, 1))


def to_plain(image: Image.Image, name: str, *, channels: int) -> Image.Image:
    """Decode an image as ``to_pixels`` does, but to an image: upright, of mode ``"L"`` or ``"RGB"``, its pixels read.

    Raises:
        BadImageError: corrupt or truncated, or of a mode without a defined range.
    """

    def decode() -> Image.Image:
        turned = image if orientation(image) == 1 else ImageOps.exif_transpose(image)
        plain = to_mode(turned, _MODE_OF_CHANNELS[channels])
        plain.load()  # Pillow reads pixels late; a broken file must raise here, where its name is known
        return plain

    return _guarded(name, decode)


def orientation(image: Image.Image) -> int:
    """The EXIF orientation, 1 (upright) to 8.

    Of a PNG it is read only where a header chunk holds it: Pillow decodes the whole file to look for more.
    """
    if image.format == "PNG" and "exif" not in image.info:
        return 1
    return int(image.getexif().get(ExifTags.Base.Orientation, 1))


def to_mode(image: Image.Image, mode: str) -> Image.Image:
    """Convert any image to ``"L"`` or ``"RGB"``. Raises ``ValueError`` for values without a defined range."""
    if image.mode == mode and "transparency" not in image.info:
        return image
    if image.mode in _WHOLE_NUMBERS:
        return Image.fromarray(_eight_bits(image)).convert(mode)  # Pillow itself would cut off at 255
    if image.mode == "F":
        raise ValueError("floating-point pixels have no defined range; save it with 8 or 16 bits")
    if image.has_transparency_data:
        layer = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer).convert(mode)
    return image.convert(mode)


def _eight_bits(image: Image.Image) -> NDArray[np.uint8]:
    """The gray levels of an image of 16 or 32 bits, ``[H, W]``."""
    values = np.asarray(image)
    low, high = int(values.min()), int(values.max())
    if low < 0 or high > 65535:
        raise ValueError(f"32-bit pixels from {low} to {high} have no defined range; save it with 8 or 16 bits")
    # A PGM file of more than 8 bits is opened in the mode "I" too, scaled to 65535.
    is_tiff_of_16 = getattr(image, "tag_v2", {}).get(_BITS_PER_SAMPLE) == (16,)  # with a sign: "I" to Pillow too
    is_eight = image.mode == "I" and high <= 255 and image.format != "PPM" and not is_tiff_of_16
    return (values if is_eight else values // 257).astype(np.uint8)  # 65535 / 257 is 255


def _guarded(name: str, action: Callable[[], T]) -> T:
    """Call Pillow; whatever it raises at a bad file becomes a ``BadImageError`` that names the image."""
    try:
        return action()
    except FileNotFoundError:
        raise BadImageError(name, "no such file") from None
    except Image.DecompressionBombError as error:
        raise BadImageError(name, f"too large ({shorten(str(error), 200)})") from None
    except UnidentifiedImageError:
        ending = PurePath(name).suffix
        reason = f"{ending[1:].upper()} files are not read; convert it to JPEG or PNG"
        is_image = ending.lower() in _NEED_PLUGINS
        raise BadImageError(name, reason if is_image else "not an image, or of an unknown format") from None
    except Exception as error:  # decoders of broken files raise nearly anything
        raise BadImageError(name, str(error) or type(error).__name__) from None
