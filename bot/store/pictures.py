"""Pictures drawn anew: what else a file holds, such as where it was taken, is left behind."""

from __future__ import annotations

import asyncio
import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from PIL import Image, ImageOps, UnidentifiedImageError

from bot.domain.errors import MediaError

#: A picture of more pixels, all frames together, is a bomb, not a photograph.
PIXELS_MAX = 50_000_000
FRAMES_MAX = 500
#: Kinds of files that are drawn anew.
RASTER = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})
#: What Pillow calls a file → what it is written as; a phone's photograph with a second picture in it is its first.
_WRITTEN_AS = {"PNG": "PNG", "JPEG": "JPEG", "MPO": "JPEG", "GIF": "GIF", "WEBP": "WEBP"}
_READ = ("PNG", "JPEG", "GIF", "WEBP")
_OPTIONS: dict[str, dict[str, Any]] = {
    "PNG": {"compress_level": 4},
    "JPEG": {"quality": 90},
    "GIF": {"optimize": False},
    "WEBP": {"quality": 90, "method": 3},
}
#: How colours, holes and movement are meant; all else that a file says about itself goes.
_KEPT = frozenset(
    {"icc_profile", "transparency", "duration", "loop", "disposal", "blend", "background", "default_image", "version"}
)
#: Pixels that a small picture has at most on each side: far less than the 1 MB that channels take as a preview.
_THUMBNAIL = 1024
_JPEG_MODES = frozenset({"L", "RGB", "CMYK"})


def redraw(content: bytes) -> bytes:
    """Return the picture in a file of its own kind, upright; raises `MediaError` for one that is damaged or too large.

    It takes some hundred megabytes for the largest: draw one at a time.
    """
    with _reading(), Image.open(io.BytesIO(content), formats=_READ) as image:
        kind = _WRITTEN_AS[image.format or ""]
        _check_size(image.width * image.height)
        is_moving = kind != "JPEG" and getattr(image, "is_animated", False)
        if is_moving:
            _check_frames(image)
        file = io.BytesIO()
        if is_moving:
            _strip(image)
            # Of WebP alone Pillow takes the first frame's time for all.
            times = {"duration": _durations(image)} if kind == "WEBP" else {}
            image.save(file, kind, save_all=True, **times, **_OPTIONS[kind])
        else:
            image.load()
            drawn = ImageOps.exif_transpose(image)
            _strip(drawn)
            if kind == "JPEG" and drawn.mode not in _JPEG_MODES:
                drawn = drawn.convert("RGB")
            drawn.save(file, kind, **_OPTIONS[kind])
        return file.getvalue()


class Thumbnails:
    """Draws small pictures, one at a time."""

    def __init__(self) -> None:
        """Draw nothing yet."""
        self._drawing = asyncio.Lock()

    async def draw(self, content: bytes) -> bytes:
        """Return the picture, or its first frame, as a small JPEG; raises `MediaError`."""
        async with self._drawing:
            return await asyncio.to_thread(_shrink, content)


def _shrink(content: bytes) -> bytes:
    with _reading(), Image.open(io.BytesIO(content), formats=_READ) as image:
        _check_size(image.width * image.height)
        # Of a JPEG no more is read than is needed.
        image.draft("RGB", (_THUMBNAIL, _THUMBNAIL))
        small = ImageOps.exif_transpose(image).convert("RGBA")
        small.thumbnail((_THUMBNAIL, _THUMBNAIL))
        paper = Image.new("RGB", small.size, "white")
        paper.paste(small, mask=small.getchannel("A"))
        file = io.BytesIO()
        paper.save(file, "JPEG", quality=80)
        return file.getvalue()


@contextmanager
def _reading() -> Iterator[None]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except Image.DecompressionBombError as error:
        raise MediaError("the picture has too many pixels") from error
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, EOFError, OverflowError) as error:
        raise MediaError("the picture is damaged") from error


def _check_size(pixel_count: int) -> None:
    if pixel_count > PIXELS_MAX:
        raise MediaError("the picture has too many pixels")


def _check_frames(image: Image.Image) -> None:
    """Return with the picture at its first frame if all of it is within bounds; no more than those are counted."""
    count = 1
    try:
        while count <= FRAMES_MAX:
            image.seek(count)
            count += 1
    except EOFError:
        image.seek(0)
    if count > FRAMES_MAX:
        raise MediaError("the picture has too many frames")
    _check_size(image.width * image.height * count)


def _durations(image: Image.Image) -> list[int]:
    """Return for how many milliseconds each frame is shown."""
    durations = []
    for number in range(getattr(image, "n_frames", 1)):
        image.seek(number)
        image.load()
        durations.append(int(image.info.get("duration", 0)))
    image.seek(0)
    return durations


def _strip(image: Image.Image) -> None:
    image.info = {name: value for name, value in image.info.items() if name in _KEPT}
