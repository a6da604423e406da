"""From a path, or the bytes of a file, to a decoded Pillow image: raster formats only, in bounded memory."""

from __future__ import annotations

import io
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from PIL import Image, UnidentifiedImageError

from cnnwidgets.core.errors import InputError

LEAST_SIDE = 4
MOST_SIDE = 20_000
MOST_BYTES = 600_000_000
"""As much as Pillow's largest image, 89 million pixels, takes with 16 bits a channel and no compression."""

# Pictures of pixels, decoded in this process. Pillow would also hand a drawing to another program (EPS: Ghostscript).
_RASTER = (
    "PNG", "JPEG", "MPO", "GIF", "BMP", "DIB", "WEBP", "TIFF", "PPM", "ICO", "ICNS", "TGA", "PCX", "JPEG2000", "AVIF",
    "SGI", "QOI", "DDS", "PSD",
)  # fmt: skip
SUFFIXES = frozenset(
    [".avif", ".bmp", ".gif", ".jfif", ".jp2", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"]
)
"""Of the files in a folder, those that are taken for images."""
_DRAWINGS = ("EPS", "WMF", "PDF")
_MAGIC = {
    b"%!PS": "PostScript", b"\xc5\xd0\xd3\xc6": "PostScript", b"%PDF": "PDF", b"\xd7\xcd\xc6\x9a": "Windows metafile",
    b"\x01\x00\x09\x00": "Windows metafile", b"\x01\x00\x00\x00": "Windows metafile", b"<svg": "SVG",
}  # fmt: skip
_LONGEST = 100
_LONGEST_NAME = 120

UPPER_BITS = "cnnwidgets_upper_bits"
"""In ``Image.info``: the file has 16 bits a channel in colour, of which Pillow has kept the upper 8."""


def read_file(source: str | os.PathLike[str] | bytes | bytearray | memoryview) -> Image.Image:
    """Open and decode a path, or the bytes of an image file.

    Raises:
        InputError: it is no file, none of a raster format, too large, or damaged.
    """
    if isinstance(source, bytes | bytearray | memoryview):
        size = memoryview(source).nbytes
        label = f"of {size:,} bytes" if size > _LONGEST else f"{bytes(source)!r}"
        _check_bytes(label, size)
        return _decoded_file(bytes(source), label)
    path = path_of(source)
    label = shortened(str(path))
    try:
        with path.open("rb") as stream:
            about = os.fstat(stream.fileno())
            _check_kind(label, about.st_mode)
            _check_bytes(label, about.st_size)
            _opened(stream, label)  # before all of it is read: what is no picture may be large
            content = stream.read()
    except OSError as error:
        raise InputError(f"Cannot read the image {label}: {error.strerror or type(error).__name__}.") from error
    return _decoded_file(content, label)


def path_of(source: str | os.PathLike[str]) -> Path:
    """``source`` as the path of a file that can be opened without waiting: no folder, pipe or device.

    Raises:
        InputError: it is none.
    """
    try:
        text = os.fsdecode(source)
    except Exception as error:  # __fspath__ is the caller's
        raise InputError(f"The image is a {type(source).__name__} that gives no path ({error}).") from error
    label = shortened(text)
    if "://" in text[:12] or text.startswith("data:"):
        raise InputError(
            f"{label} is a web address; cnnwidgets asks the network for nothing. Download it, pass the file."
        )
    try:
        path = Path(text).expanduser()
        mode = path.stat().st_mode
    except FileNotFoundError:
        raise InputError(f"No image file {label} (looked in {shortened(str(Path.cwd()))}). Check the path.") from None
    except (OSError, ValueError, RuntimeError) as error:  # a name that is too long, NUL, an unknown ~user
        why = (error.strerror if isinstance(error, OSError) else str(error)) or type(error).__name__
        raise InputError(f"{label} is not a path to an image file: {why}.") from None
    if stat.S_ISDIR(mode):
        raise InputError(f"{label} is a folder; expected one image file. Choose a file in it.")
    _check_kind(label, mode)
    return path


def name_of(path: str | os.PathLike[str]) -> str:
    """The file's name, in letters that can be shown and sent.

    >>> name_of("photos/cat.png"), len(name_of("x" * 5000))
    ('cat.png', 120)
    """
    text = os.fsdecode(path)
    name = Path(text).name or text
    name = name.encode("utf-8", "replace").decode("utf-8")
    return name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 21]}…{name[-20:]}"


def shortened(text: str) -> str:
    """``text`` in quotes, what cannot be printed escaped, and the middle left out where it is long.

    >>> shortened("a/b.png"), len(shortened("x" * 5000))
    ("'a/b.png'", 126)
    """
    if len(text) > _LONGEST:
        half = _LONGEST // 2
        return f"{text[:half]!r} … {text[-half:]!r} ({len(text):,} characters)"
    return repr(text)


def check_size(width: int, height: int) -> None:
    """Raise InputError unless a picture of this size can be used."""
    most = Image.MAX_IMAGE_PIXELS
    if min(width, height) < LEAST_SIDE:
        raise InputError(f"The image is {width}x{height} pixels; expected at least {LEAST_SIDE}x{LEAST_SIDE}.")
    if max(width, height) > MOST_SIDE:
        raise InputError(
            f"The image is {width:,}x{height:,} pixels; a side may be {MOST_SIDE:,} at most. Crop or shrink it first."
        )
    if most is not None and width * height > most:
        raise InputError(
            f"The image is {width:,}x{height:,} pixels, more than the {most:,} that Pillow holds to be safe "
            "(a decompression bomb?). Crop or shrink it first."
        )


def refuse_drawing(image: Image.Image) -> None:
    """Raise InputError for an image that another program would have to draw."""
    if image.format in _DRAWINGS and getattr(image, "tile", None):
        raise InputError(f"The image is a drawing ({image.format}), not a picture of pixels. Save it as a PNG first.")


def _check_kind(label: str, mode: int) -> None:
    if not stat.S_ISREG(mode):
        raise InputError(f"{label} is a pipe or a device; expected an image file. Save the picture to a file.")


def _check_bytes(label: str, size: int) -> None:
    if size == 0:
        raise InputError(f"The image {label} is empty (0 bytes). Save or download it again.")
    if size > MOST_BYTES:
        raise InputError(
            f"The file {label} holds {size / 1e6:,.0f} MB; at most {MOST_BYTES / 1e6:,.0f} MB are read as an image. "
            "Crop or shrink it first."
        )


def _decoded_file(content: bytes, label: str) -> Image.Image:
    image = _opened(io.BytesIO(content), label)
    tiles = [str(tile[-1]) for tile in getattr(image, "tile", [])]
    with _pillow_errors(label):
        image.load()
    if image.mode in ("RGB", "RGBA") and any(";16" in raw for raw in tiles):
        image.info[UPPER_BITS] = True
    return image


def _opened(stream: BinaryIO, label: str) -> Image.Image:
    head = stream.read(512)
    stream.seek(0)
    try:
        with _pillow_errors(label):
            Image.init()
            image = Image.open(stream, formats=[name for name in _RASTER if name in Image.OPEN])
            check_size(*image.size)
    except UnidentifiedImageError as error:
        raise InputError(_unidentified(label, head)) from error
    stream.seek(0)
    return image


@contextmanager
def _pillow_errors(label: str) -> Iterator[None]:
    """Pillow's errors as ours; UnidentifiedImageError passes."""
    try:
        yield
    except (InputError, UnidentifiedImageError):
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise InputError(f"The image {label} is too large to be safe: {error} Make it smaller first.") from error
    except MemoryError as error:
        raise InputError(f"The image {label} does not fit into memory. Crop or shrink it first.") from error
    except Exception as error:  # Pillow's decoders raise OSError, SyntaxError, ValueError, struct.error, ...
        raise InputError(f"The image {label} is damaged or cut short: {error}. Save or download it again.") from error


def _unidentified(label: str, head: bytes) -> str:
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n")
    drawing = next((name for magic, name in _MAGIC.items() if start.startswith(magic)), "")
    if not drawing and start.startswith(b"<") and b"<svg" in start:
        drawing = "SVG"
    if drawing:
        return f"{label} is a drawing ({drawing}), not a picture of pixels. Save it as a PNG first."
    return f"{label} is not an image that Pillow can read. Expected PNG, JPEG or the like."
