"""Reads what the lab needs from a disk image: its format, its virtual size and how much of it is allocated."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path

MAGIC = b"QFI\xfb"
OFFSET_MASK = 0x00FF_FFFF_FFFF_FE00
COMPRESSED = 1 << 62


class BadImage(Exception):
    """The file is not an image of the format it claims; the text is qemu-img's."""


@dataclass(frozen=True)
class ImageInfo:
    """`size` is the virtual size in bytes, `data` the bytes that are allocated in it."""

    format: str
    size: int
    data: int


def read_qcow2(path: Path) -> ImageInfo:
    """Header and cluster map of a qcow2 file."""
    size = path.stat().st_size
    with path.open("rb") as image:
        head = image.read(72)
        if len(head) < 72 or head[:4] != MAGIC:
            raise BadImage("Image is not in qcow2 format")
        _, version, _, _, cluster_bits, virtual, _, l1_size, l1_offset = struct.unpack(">4sIQIIQIIQ", head[:48])
        if version not in (2, 3):
            raise BadImage(f"Unsupported qcow2 version {version}")
        if not 9 <= cluster_bits <= 21 or l1_offset > size:
            raise BadImage("L1 table is too small")
        cluster = 1 << cluster_bits
        clusters = 0
        image.seek(l1_offset)
        table = image.read(8 * l1_size)
        for (entry,) in struct.iter_unpack(">Q", table[: len(table) // 8 * 8]):
            offset = entry & OFFSET_MASK
            if not offset or offset >= size:
                continue
            image.seek(offset)
            level2 = image.read(cluster)
            for (mapping,) in struct.iter_unpack(">Q", level2[: len(level2) // 8 * 8]):
                clusters += 1 if mapping & (OFFSET_MASK | COMPRESSED) else 0
    return ImageInfo("qcow2", virtual, clusters * cluster)


def inspect(path: Path, fmt: str | None = None) -> ImageInfo:
    """What `qemu-img info` would say; `fmt` forces a format as `-f` does."""
    if fmt == "qcow2":
        return read_qcow2(path)
    if fmt is None and path.stat().st_size >= 4:
        with path.open("rb") as image:
            if image.read(4) == MAGIC:
                return read_qcow2(path)
    length = path.stat().st_size
    return ImageInfo(fmt or "raw", (length + 511) // 512 * 512, length)
