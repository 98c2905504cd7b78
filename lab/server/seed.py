"""What a new lab holds: the two-node cluster of the docs, or the pristine node that the recordings start from."""

from __future__ import annotations

import time

from .access import Token
from .settings import ROOT_PASSWORD
from .volumes import GIB, Space, Volume

SEEDED_AT = 1_767_225_600


def _directory(path: str, content: str) -> dict:
    return {"type": "dir", "path": path, "content": content, "shared": 0, "active": 1, "files": set()}


def _foreign_vm(pve) -> None:
    """A NAS that somebody runs here; nothing of this project may touch it."""
    vm = pve.new_vm(100, "pve1")
    pve.volumes_of("local-lvm", "pve1")["vm-100-disk-0"] = Volume(100, "raw", 64 * GIB, 21 * GIB, SEEDED_AT)
    pve.volumes_of("local-lvm", "pve1")["vm-100-disk-1"] = Volume(100, "raw", 2048 * GIB // 16, 40 * GIB, SEEDED_AT)
    vm.config = {
        "name": "nas", "agent": "1", "balloon": 0, "boot": "order=scsi0", "cores": 4, "cpu": "x86-64-v2-AES",
        "description": "Storage of the house. Ask Mia before you touch it.", "memory": "4096",
        "meta": f"creation-qemu=9.2.0,ctime={SEEDED_AT}", "net0": "virtio=BC:24:11:0A:11:00,bridge=vmbr0,firewall=1",
        "numa": 0, "onboot": 1, "ostype": "l26", "scsi0": "local-lvm:vm-100-disk-0,discard=on,size=64G",
        "scsi1": "local-lvm:vm-100-disk-1,backup=0,size=128G", "scsihw": "virtio-scsi-single",
        "smbios1": "uuid=6d5f6f0e-6d1c-4c0f-9f64-0c9f2f6a1100", "sockets": 1, "startup": "order=1", "tags": "house;nas",
        "vmgenid": "0c2b5c1e-20f5-4d5a-9d2f-6b1f7d3a1100"}
    vm.name = "nas"
    vm.status = vm.qmpstatus = "running"
    vm.started_at = time.time() - 86_400
    vm.agent = {}


def _foreign_template(pve) -> None:
    """A template made by hand, with its cloud-init drive."""
    vm = pve.new_vm(900, "pve1")
    volumes = pve.volumes_of("local-lvm", "pve1")
    volumes["base-900-disk-0"] = Volume(900, "raw", 3 * GIB, GIB, SEEDED_AT)
    volumes["vm-900-cloudinit"] = Volume(900, "raw", 4 * 1024**2, 4 * 1024**2, SEEDED_AT)
    vm.config = {
        "name": "debian-template", "agent": "enabled=1", "boot": "order=scsi0", "ciuser": "debian", "cores": 1,
        "ide2": "local-lvm:vm-900-cloudinit,media=cdrom", "ipconfig0": "ip=dhcp", "memory": "1024",
        "meta": f"creation-qemu=9.2.0,ctime={SEEDED_AT}", "net0": "virtio=BC:24:11:0A:19:00,bridge=vmbr0",
        "ostype": "l26", "scsi0": "local-lvm:base-900-disk-0,size=3G", "scsihw": "virtio-scsi-pci",
        "serial0": "socket", "smbios1": "uuid=6d5f6f0e-6d1c-4c0f-9f64-0c9f2f6a1900", "tags": "debian", "template": 1,
        "vga": "serial0", "vmgenid": "0c2b5c1e-20f5-4d5a-9d2f-6b1f7d3a1900"}
    vm.name = "debian-template"
    vm.template = True


def seed_default(pve) -> None:
    """The nodes (pve1 and pve2), `local` and `local-lvm`, a bridge, a GPU, and guests that belong to somebody else."""
    pve.nodes = {name: {"online": True} for name in pve.settings.nodes}
    pve.storages = {
        "local": _directory("/var/lib/vz", "backup,import,iso,snippets,vztmpl"),
        "local-lvm": {"type": "lvmthin", "vgname": "pve", "thinpool": "data", "content": "images,rootdir",
                      "active": 1, "files": set()}}
    pve.spaces = {"local": Space(98_497_780_736, 6_262_534_144), "local-lvm": Space(860_148_727_808, 12_884_901_888)}
    pve.mappings = {"rtx4090": ["id=10de:2684,iommugroup=14,node=pve1,path=0000:01:00.0,subsystem-id=1043:889c"]}
    _foreign_vm(pve)
    _foreign_template(pve)
    pve.seed_fleet_user()


def seed_recorded(pve) -> None:
    """The node of `recorded/README.md`: one node, two directory datastores, nothing on them."""
    pve.nodes = {"pve": {"online": True}}
    pve.storages = {
        "local": _directory("/var/lib/vz", "backup,images,import,iso,rootdir,snippets,vztmpl"),
        "data": _directory("/var/lib/data", "images,rootdir")}
    pve.spaces = {"local": Space(200 * GIB, 20 * GIB), "data": Space(200 * GIB, 20 * GIB)}
    pve.users["lab@pve"] = ROOT_PASSWORD
    pve.tokens["root@pam!priv"] = Token("1ab0f1ee-0000-4000-8000-0000000000bb", privsep=1)
    pve.tokens["lab@pve!tok"] = Token("1ab0f1ee-0000-4000-8000-0000000000cc", privsep=0)


SEEDS = {"default": seed_default, "recorded": seed_recorded}


def make_folders(pve) -> None:
    """The folders of the directory datastores, as PVE makes them when it activates a datastore."""
    for node in pve.nodes:
        for name in pve.storages:
            if pve.is_dir(name):
                pve.mount(node, name)
                for content in ("iso", "vztmpl", "backup", "snippets", "import"):
                    pve.real_path(node, pve.folder(name, content)).mkdir(parents=True, exist_ok=True)
