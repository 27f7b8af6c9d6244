"""A picture's file without what it says beside the pixels; the pixels are not decoded, so nothing of them is lost.

PNG: chunks (PNG specification, 11.3). JPEG: segments before the picture data (ITU-T T.81, B.1.1; Exif and XMP in APP1, IPTC in APP13).
WebP: chunks of RIFF, and the flags of VP8X (WebP container specification).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

PNG_HEAD, JPEG_HEAD = b"\x89PNG\r\n\x1a\n", b"\xff\xd8"
PNG_TEXTS = frozenset({b"tEXt", b"zTXt", b"iTXt", b"tIME"})
EXIF_FLAG, XMP_FLAG = 0x08, 0x04
"""Of VP8X: the file has such a chunk."""
APP1, APP13, COMMENT, SCAN = 0xE1, 0xED, 0xFE, 0xDA


def strip(data: bytes, everything: bool = False) -> bytes | None:
    """The file without its EXIF block, and with `everything` also without XMP, IPTC, comments and texts.

    Returns: None: it is no PNG, JPEG or WebP, or is not built as one should be.
    """
    try:
        if data.startswith(PNG_HEAD):
            return _png(data, everything)
        if data.startswith(JPEG_HEAD):
            return _jpeg(data, everything)
        if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
            return _webp(data, everything)
    except (struct.error, IndexError):
        pass
    return None


def _png(data: bytes, everything: bool) -> bytes:
    out, place = [PNG_HEAD], len(PNG_HEAD)
    while place < len(data):
        length, kind = struct.unpack_from(">I4s", data, place)
        end = place + 12 + length
        if not (kind == b"eXIf" or (everything and kind in PNG_TEXTS)):
            out.append(data[place:end])
        place = end
        if kind == b"IEND":
            break
    return b"".join(out)


def _jpeg(data: bytes, everything: bool) -> bytes | None:
    out, place = [JPEG_HEAD], 2
    while True:
        if data[place] != 0xFF:
            return None
        kind = data[place + 1]
        if kind == 0xFF:  # a byte that fills
            place += 1
            continue
        if kind == SCAN:
            return b"".join([*out, data[place:]])
        end = place + 2 + int(struct.unpack_from(">H", data, place + 2)[0])
        if not _is_note(kind, data[place + 4:place + 10], everything):
            out.append(data[place:end])
        place = end


def _is_note(kind: int, begin: bytes, everything: bool) -> bool:
    if kind == APP1:
        return everything or begin.startswith(b"Exif\0")
    return everything and kind in (APP13, COMMENT)


def _webp(data: bytes, everything: bool) -> bytes:
    gone = {b"EXIF", b"XMP "} if everything else {b"EXIF"}
    out = []
    for kind, whole in _chunks(data):
        if kind == b"VP8X":
            flags = whole[8] & ~(EXIF_FLAG | (XMP_FLAG if everything else 0))
            out.append(whole[:8] + bytes([flags]) + whole[9:])
        elif kind not in gone:
            out.append(whole)
    body = b"WEBP" + b"".join(out)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    place = 12
    while place + 8 <= len(data):
        kind, length = struct.unpack_from("<4sI", data, place)
        end = place + 8 + length + length % 2
        yield kind, data[place:end]
        place = end
