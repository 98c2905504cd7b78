"""Volumes and files of the datastores, per node: names, space, and where they really lie.

Disk images are entries in the model. Everything else (ISO and import images, snippets, backups) is a real file below
the folder that stands for the node's root file system, so that what SFTP puts there is there.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from pathlib import Path

from fakepve.routing import die, split_list
from fakepve.storage import spec_of

from .drives import split_volid
from .fleet import VolumeTable

GIB = 1024**3
BLOCK = 4096
FOLDERS = {"iso": "template/iso", "vztmpl": "template/cache", "backup": "dump", "snippets": "snippets",
           "import": "import"}
EXTENSIONS = {"iso": r"\.(?:iso|img)$", "vztmpl": r"\.tar\.(?:gz|xz|zst|bz2)$", "import": r"\.(?:qcow2|raw|vmdk|ova)$",
              "backup": r"\.(?:vma|tar)(?:\.(?:gz|lzo|zst))?$", "snippets": r"."}
LVM_EXTENT = 4 * 1024**2
QCOW2_OVERHEAD = 196_608
# Types whose content all nodes see, whatever their `shared` says.
SHARED_TYPES = {"nfs", "cifs", "cephfs", "rbd", "iscsi", "pbs"}


@dataclass
class Volume:
    """A disk image: `size` is what the guest sees, `used` what it takes on the datastore."""

    vmid: int
    format: str
    size: int
    used: int
    ctime: int
    parent: str | None = None


@dataclass
class Space:
    """A datastore's room on every node: `other` is what is taken by things the lab does not model."""

    total: int
    other: int


def round_up(size: int, unit: int) -> int:
    return (size + unit - 1) // unit * unit


class VolumeApi:
    """Mixin: allocation and lookup. A volume is found by its volume id and the node that asks."""

    def init_volumes(self) -> None:
        self.volumes: dict[str, VolumeTable] = {}
        self.spaces: dict[str, Space] = {}

    # ------------------------------------------------------------- where

    def place(self, storage: str, node: str) -> str:
        """The key of a datastore's content: one per node unless it is shared."""
        return storage if self.is_shared(storage) else f"{node}/{storage}"

    def is_shared(self, storage: str) -> bool:
        store = self.storages[storage]
        return bool(store.get("shared")) or store.get("type") in SHARED_TYPES

    def volumes_of(self, storage: str, node: str) -> VolumeTable:
        place = self.place(storage, node)
        if place not in self.volumes:
            self.volumes[place] = VolumeTable()
        return self.volumes[place]

    def is_dir(self, storage: str) -> bool:
        spec = spec_of(self.storages[storage])
        return bool(spec and spec["files"])

    def base_path(self, storage: str) -> str:
        """The path of a directory datastore as the node sees it."""
        return self.storages[storage].get("path") or "/mnt/pve/" + storage

    def real_path(self, node: str, path: str) -> Path:
        """A path of the node in the lab's folder."""
        return self.settings.node_root(node) / path.lstrip("/")

    def mount(self, node: str, storage: str) -> None:
        """A shared datastore's folder is one and the same on every node."""
        here = self.real_path(node, self.base_path(storage))
        if not self.is_shared(storage) or here.exists():
            return
        common = self.settings.directory / "shared" / storage
        common.mkdir(parents=True, exist_ok=True)
        here.parent.mkdir(parents=True, exist_ok=True)
        here.symlink_to(common, target_is_directory=True)

    def folder(self, storage: str, content: str) -> str:
        return f"{self.base_path(storage)}/{FOLDERS[content]}"

    def volume_path(self, volid: str) -> str:
        """The path PVE gives for a volume."""
        storage, name = split_volid(volid)
        store = self.storages[storage]
        if not self.is_dir(storage):
            return f"/dev/{store.get('vgname', 'pve')}/{name}"
        kind, _, rest = name.partition("/")
        if kind in FOLDERS:
            return f"{self.folder(storage, kind)}/{rest}"
        return f"{self.base_path(storage)}/images/{'/'.join(name.split('/')[-2:])}"

    def file_of(self, volid: str, node: str) -> Path | None:
        """The real file behind an ISO, import image or snippet; None if there is none."""
        storage, name = split_volid(volid)
        if storage not in self.storages or name.partition("/")[0] not in FOLDERS:
            return None
        path = self.real_path(node, self.volume_path(volid))
        return path if path.is_file() else None

    def files_of(self, storage: str, node: str, content: str) -> list[Path]:
        """The files of one content type, as a directory datastore lists them."""
        if content not in FOLDERS or not self.is_dir(storage):
            return []
        folder = self.real_path(node, self.folder(storage, content))
        if not folder.is_dir():
            return []
        return [p for p in sorted(folder.iterdir()) if p.is_file() and re.search(EXTENSIONS[content], p.name)
                and ".tmp_dwnl." not in p.name]

    def volume(self, volid: str, node: str) -> Volume | None:
        storage, name = split_volid(volid)
        if storage not in self.storages:
            return None
        return self.volumes_of(storage, node).get(name)

    # ------------------------------------------------------------- space

    def space(self, storage: str, node: str) -> tuple[int, int, int]:
        """(total, used, avail) in bytes."""
        room = self.spaces.setdefault(storage, Space(100 * GIB, 5 * GIB))
        used = room.other + self.volumes_of(storage, node).used
        for content in FOLDERS:
            used += sum(round_up(p.stat().st_size, BLOCK) for p in self.files_of(storage, node, content))
        used = min(used, room.total)
        return room.total, used, room.total - used

    def set_avail(self, storage: str, avail: int) -> None:
        """Leave so many bytes on a datastore (on the first node; control interface)."""
        total, used, _ = self.space(storage, self.first_node())
        room = self.spaces[storage]
        room.other = max(0, total - avail - (used - room.other))

    def storage_for_images(self, storage: str, node: str) -> dict:
        """The datastore, once it is sure that it exists, is usable here and takes disk images."""
        store = self._check_enabled(storage, node)
        if not store.get("active", 1):
            raise die(f"storage '{storage}' is not online")
        if "images" not in split_list(store.get("content")):
            raise die(f"storage '{storage}' does not support vm images")
        return store

    # -------------------------------------------------------- allocation

    def free_name(self, storage: str, node: str, vmid: int) -> int:
        """The number of the next free `vm-ID-disk-N`."""
        taken = set()
        for name in self.volumes_of(storage, node).names.get(vmid, ()):
            found = re.search(rf"(?:^|/)(?:vm|base)-{vmid}-disk-(\d+)(?:\.\w+)?$", name)
            if found:
                taken.add(int(found.group(1)))
        return next(n for n in range(1000) if n not in taken)

    def volume_group(self, storage: str) -> str:
        return self.storages[storage].get("vgname", "pve")

    def check_thin_room(self, storage: str, node: str, doing: str, data: int = 0) -> None:
        """lvcreate makes no volume in a pool that is full."""
        if self.space(storage, node)[2] < max(data, LVM_EXTENT):
            pool = f"{self.volume_group(storage)}/{self.storages[storage].get('thinpool', 'data')}"
            raise die(f"{doing}:   Cannot create new thin volume, free space in thin pool {pool} reached threshold.")

    def check_room(self, storage: str, node: str, name: str, data: int) -> None:
        _, _, avail = self.space(storage, node)
        if self.is_dir(storage):
            if data > avail:
                raise die(f"unable to create image: qemu-img: error while writing at byte {avail}: "
                          "No space left on device")
        else:
            self.check_thin_room(storage, node, f"lvcreate '{self.volume_group(storage)}/{name}' error", data)

    def allocate(self, storage: str, node: str, vmid: int, size: int, fmt: str, *, data: int = 0,
                 name: str | None = None, parent: str | None = None) -> str:
        """Make a volume and return its id. `parent` is the base volume's name of a linked clone."""
        volumes = self.volumes_of(storage, node)
        if name is None:
            name = f"vm-{vmid}-disk-{self.free_name(storage, node, vmid)}"
        if self.is_dir(storage):
            name = f"{vmid}/{name}.{fmt}"
            if name in volumes:
                path = self.volume_path(f"{storage}:{name}")
                raise die(f"disk image '{path}' already exists")
            full = f"{parent}/{name}" if parent else name
            used = max(data, QCOW2_OVERHEAD) if fmt == "qcow2" else data
        else:
            fmt, full = "raw", name
            if name in volumes:
                group = self.storages[storage].get("vgname", "pve")
                raise die(f"lvcreate '{group}/{name}' error:   Logical Volume \"{name}\" already exists in volume "
                          f"group \"{group}\"")
            size, used = round_up(size, LVM_EXTENT), data
        self.check_room(storage, node, name, used)
        volumes[full] = Volume(vmid, fmt, size, used, int(time.time()), parent)
        return f"{storage}:{full}"

    def free(self, volid: str, node: str) -> None:
        storage, name = split_volid(volid)
        if storage in self.storages:
            self.volumes_of(storage, node).pop(name, None)

    def make_base(self, volid: str, node: str) -> str:
        """`vm-ID-disk-N` becomes `base-ID-disk-N`."""
        storage, name = split_volid(volid)
        head, slash, last = name.rpartition("/")
        if storage is None or not last.startswith("vm-"):
            return volid
        # A linked clone that becomes a template itself keeps its base in the name.
        new = f"{head}{slash}base-{last[3:]}"
        volumes = self.volumes_of(storage, node)
        if name in volumes:
            volumes[new] = volumes.pop(name)
        return f"{storage}:{new}"

    def base_in_use(self, volid: str, node: str) -> bool:
        """PVE's volume_is_base_and_used: only where a clone's name or header says whose overlay it is."""
        storage, name = split_volid(volid)
        if storage not in self.storages or not self.is_dir(storage) or "/base-" not in "/" + name:
            return False
        base = "/".join(name.split("/")[-2:])
        return self.volumes_of(storage, node).parents[base] > 0

    def owned_by(self, vmid: int, node: str) -> list[str]:
        """Every volume that carries a VMID in its name."""
        return [f"{storage}:{name}" for storage in self.storages
                for name in sorted(self.volumes_of(storage, node).names.get(vmid, ()))]

    def dump_volumes(self) -> dict:
        return {place: {name: dict(vars(v)) for name, v in sorted(volumes.items())}
                for place, volumes in sorted(self.volumes.items()) if volumes}

    def load_volumes(self, saved: dict) -> None:
        for place, volumes in saved.items():
            self.volumes[place] = VolumeTable()
            for name, volume in volumes.items():
                self.volumes[place][name] = Volume(**volume)
