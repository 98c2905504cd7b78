"""Disks of a VM: allocating, importing, and what qemu-img says meanwhile."""

from __future__ import annotations

import asyncio
import re
import time

from fakepve.routing import die

from . import drives, qcow2
from .drives import Drive, split_volid
from .tasks import Task

EFI_SIZE = 540_672
TPM_SIZE = 4 * 1024**2
CLOUDINIT_SIZE = 4 * 1024**2
# PVE seconds and speed that the steps take (measured on a small node).
DISK_SECONDS = 0.3
COPY_BYTES_PER_SECOND = 400 * 1024**2


class DiskApi:
    """Mixin: from what a drive asks for to its config value."""

    def _formatting(self, volid: str, node: str, extra: str = "") -> str | None:
        """The line qemu-img prints for a new image file."""
        storage, _ = split_volid(volid)
        volume = self.volume(volid, node)
        if volume is None or not self.is_dir(storage):
            return None
        path = self.volume_path(volid)
        if volume.format == "raw":
            return f"Formatting '{path}', fmt=raw size={volume.size} preallocation=off"
        return (f"Formatting '{path}', fmt=qcow2 cluster_size=65536 extended_l2=off preallocation=metadata "
                f"compression_type=zlib size={volume.size}{extra} lazy_refcounts=off refcount_bits=16")

    def log_formatting(self, task: Task | None, volid: str, node: str) -> None:
        line = self._formatting(volid, node)
        if task and line:
            task.log(line)

    async def make_drive(self, vmid: int, node: str, drive: Drive, task: Task | None, made: list[str]) -> str:
        """Allocate or import what a drive asks for; returns its config value. `made` collects the new volumes."""
        new = drives.NEW_DISK.match(drive.volume)
        storage, name = split_volid(drive.volume)
        options = dict(drive.options)
        if name == "cloudinit":
            self._store(storage)
            fmt = options.pop("format", None) or ("qcow2" if self.is_dir(storage) else "raw")
            volid = self.allocate(storage, node, vmid, CLOUDINIT_SIZE, fmt, name=f"vm-{vmid}-cloudinit")
            made.append(volid)
            self.log_formatting(task, volid, node)
            options.pop("size", None)
            value = Drive(drive.key, volid, {**options, "media": "cdrom"})
            if task:
                task.log(f"{drive.key}: successfully created disk '{value}'")
            return str(value)
        if new:
            volid = await self._new_disk(vmid, node, drive, new, options, task)
            made.append(volid)
            options["size"] = drives.format_size(self.volume(volid, node).size)
            value = Drive(drive.key, volid, options)
            if task:
                task.log(f"{drive.key}: successfully created disk '{value}'")
            return str(value)
        if drive.volume in ("none", "cdrom"):
            options.pop("size", None)
            return str(Drive(drive.key, drive.volume, options))
        return self.existing_drive(node, drive)

    def existing_drive(self, node: str, drive: Drive) -> str:
        """A drive on a volume that is there: its size is the volume's, whatever was asked for."""
        options = dict(drive.options)
        volume = self.volume(drive.volume, node)
        storage, name = split_volid(drive.volume)
        if volume is not None:
            if not Drive("x0", drive.volume).is_cloudinit:
                options["size"] = drives.format_size(volume.size)
        elif storage is not None and name.partition("/")[0] == "iso":
            real = self.file_of(drive.volume, node)
            if real is None:
                raise die(f"volume '{drive.volume}' does not exist")
            options["size"] = drives.format_size(real.stat().st_size)
        elif storage is not None:
            raise die(f"volume '{drive.volume}' does not exist")
        return str(Drive(drive.key, drive.volume, options))

    async def _new_disk(self, vmid: int, node: str, drive: Drive, new: re.Match, options: dict,
                        task: Task | None) -> str:
        storage = new.group(1)
        self.storage_for_images(storage, node)
        source = options.pop("import-from", None)
        wanted = options.pop("format", None)
        default = self.storages[storage].get("format") or "raw"
        await self.pause(DISK_SECONDS)
        if source is not None:
            return await self._import_disk(vmid, node, storage, source, wanted, task)
        if drive.key == "efidisk0":
            if options.get("pre-enrolled-keys") == "1" and self.version_tuple() >= (9, 1):
                options.setdefault("ms-cert", "2023k")
            volid = self.allocate(storage, node, vmid, EFI_SIZE, wanted or "raw", data=EFI_SIZE)
            self.log_formatting(task, volid, node)
            if task:
                task.log("transferred 528.0 KiB of 528.0 KiB (100.00%)")
            return volid
        if drive.key == "tpmstate0":
            volid = self.allocate(storage, node, vmid, TPM_SIZE, "raw")
        else:
            volid = self.allocate(storage, node, vmid, int(float(new.group(2)) * 1024**3), wanted or default)
        self.log_formatting(task, volid, node)
        return volid

    async def _import_disk(self, vmid: int, node: str, storage: str, source: str, wanted: str | None,
                           task: Task | None) -> str:
        """import-from: the option is consumed, the volume has the size that the image says."""
        known = self.volume(source, node)
        if known is not None:
            size, data, fmt = known.size, known.used, known.format
        else:
            # root@pam may name any file of the node.
            real = self.file_of(source, node) if split_volid(source)[0] else self.real_path(node, source)
            if real is None or not real.is_file():
                path = self.volume_path(source) if split_volid(source)[0] else source
                raise die(f"failed to stat '{path}'")
            try:
                info = qcow2.inspect(real)
            except qcow2.BadImage as error:
                raise die(f"cannot import from '{source}' - qemu-img: Could not open "
                          f"'{self.volume_path(source)}': {error}") from None
            size, data, fmt = info.size, info.data, info.format
        # A file that is no volume is converted without many words.
        is_volume = split_volid(source)[0] is not None
        if task and is_volume:
            task.log(f"create full clone of drive ({source})")
        volid = self.allocate(storage, node, vmid, size, wanted or (fmt if self.is_dir(storage) else "raw"), data=data)
        self.log_formatting(task, volid, node)
        if task and is_volume:
            task.log(f"allocated target volume '{volid}'")
        try:
            await self.copy_data(data, None, size, task)
        except asyncio.CancelledError:
            if task and task.aborted:
                self.free(volid, node)
            raise
        if task:
            shown = drives.human_size(size)
            task.log(f"transferred {shown} of {shown} (100.00%)")
        return volid

    async def copy_data(self, size: int, bwlimit: int | None, shown: int = 0, task: Task | None = None) -> None:
        """The time qemu-img takes to copy so many bytes; `bwlimit` is in KiB/s.

        `shown`: the size of the whole volume, of which the task's log says per cent by per cent what is done; the last
        line is its caller's.
        """
        rate = bwlimit * 1024 if bwlimit else COPY_BYTES_PER_SECOND
        real = size / rate * self.time_scale
        if not task or not size:
            await asyncio.sleep(real) if real else None
            return
        started, total = time.monotonic(), drives.human_size(shown)
        for percent in range(100):
            task.log(f"transferred {drives.human_size(shown * percent // 100)} of {total} ({percent:.2f}%)")
            # By the clock: a hundred short sleeps would add up to more than one long one.
            left = started + real * (percent + 1) / 100 - time.monotonic()
            if real and left > 0:
                await asyncio.sleep(left)
