"""Bounds on what a file may announce, kept while it is read."""

from __future__ import annotations

import os
from typing import IO

MAX_ITEMS = 150_000
"""Items of sequences in one file; an object of 4,000 frames has a third of it."""
MAX_READS = 4_000_000
MAX_ELEMENT_BYTES = 64 * 2**20
"""Of one attribute of a header; icons, overlays and vendors' records are far smaller."""
MAX_PIXEL_BYTES = 2 * 1024**3
_ITEM_BYTES = 8
"""Of the tag and the length that each begins with."""
_ITEM_TAGS = (b"\xfe\xff\x00\xe0", b"\xff\xfe\xe0\x00")


class TooMuchError(Exception):
    """A file announces more than any scan holds; the text goes on after the file's name."""


class BoundedStream:
    """A stream that refuses to be read beyond reason.

    Parameters
    ----------
    stream : file
        Binary, that can be sought in.
    headers_only : bool
        Whether no pixels are going to be read.
    pixel_bytes : int or None
        What pixels take, unpacked, where that is known.
    """

    def __init__(self, stream: IO[bytes], headers_only: bool, pixel_bytes: int | None) -> None:
        self._stream = stream
        self._reads = self._items = self._bytes = 0
        pixel_limit = MAX_PIXEL_BYTES if pixel_bytes is None else 2 * pixel_bytes
        self._element_limit = MAX_ELEMENT_BYTES if headers_only else pixel_limit + MAX_ELEMENT_BYTES
        self._total_limit = 2 * self._element_limit

    def read(self, size: int | None = -1) -> bytes:
        """Read as the stream does.

        Parameters
        ----------
        size : int, optional
            Bytes; all that is left by default.

        Raises
        ------
        TooMuchError
            If a bound is passed.
        """
        # Called a hundred times for a header, so as little as can be is done each time.
        if size is None or size < 0:
            size = self._bytes_left()
        if size > self._element_limit:
            raise TooMuchError(f"announces a part of {size:,} bytes")
        content = self._stream.read(size)
        self._reads += 1
        self._bytes += size
        if size == _ITEM_BYTES and content[:4] in _ITEM_TAGS:
            self._items += 1
            if self._items > MAX_ITEMS:
                raise TooMuchError(f"holds more than {MAX_ITEMS:,} items")
        if self._bytes > self._total_limit or self._reads > MAX_READS:
            raise TooMuchError(f"holds more than {self._total_limit:,} bytes")
        return content

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to a place, as the stream does.

        Parameters
        ----------
        offset, whence : int
            As in :meth:`io.IOBase.seek`.
        """
        return self._stream.seek(offset, whence)

    def tell(self) -> int:
        """The place in the stream."""
        return self._stream.tell()

    def close(self) -> None:
        """Nothing: whoever opened the stream closes it."""

    def _bytes_left(self) -> int:
        at = self._stream.tell()
        end = self._stream.seek(0, os.SEEK_END)
        self._stream.seek(at)
        return max(end - at, 0)
