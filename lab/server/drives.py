"""Drive strings of a VM config: taking them apart, writing them as PVE does, and the order PVE works in."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

KEY = re.compile(r"^(?:ide[0-3]|sata[0-5]|scsi(?:[0-9]|[12][0-9]|30)|virtio(?:[0-9]|1[0-5])|efidisk0|tpmstate0)$")
UNUSED = re.compile(r"^unused\d+$")
NEW_DISK = re.compile(r"^([^/:\s]+):(\d+(?:\.\d+)?)$")
CLOUDINIT = re.compile(r"(?:^|[/:])vm-\d+-cloudinit(?:\.\w+)?$")
# The order PVE::QemuServer::Drive::valid_drive_names gives: what it finds first in a config.
BUS_ORDER = ("ide", "scsi", "virtio", "sata", "efidisk", "tpmstate")
BOOLEAN = {"True": "1", "true": "1", "yes": "1", "on": "1", "False": "0", "false": "0", "no": "0", "off": "0"}
BOOLEAN_OPTIONS = {"backup", "detect_zeroes", "iothread", "replicate", "ro", "shared", "snapshot", "ssd",
                   "pre-enrolled-keys"}
UNITS = {"": 1, "K": 1024, "M": 1024**2, "G": 1024**3, "T": 1024**4}


@dataclass
class Drive:
    """One drive: the volume (or `none`, `cdrom`, `store:size`) and its options."""

    key: str
    volume: str
    options: dict[str, str] = field(default_factory=dict)

    @property
    def is_cloudinit(self) -> bool:
        return bool(CLOUDINIT.search(self.volume))

    @property
    def is_cdrom(self) -> bool:
        """PVE's drive_is_cdrom: the cloud-init drive counts as one."""
        return self.options.get("media") == "cdrom" or self.volume == "cdrom"

    @property
    def storage(self) -> str | None:
        """The storage id of its volume, or None for `none`, `cdrom` and paths."""
        return split_volid(self.volume)[0]

    def __str__(self) -> str:
        return ",".join([self.volume] + [f"{k}={self.options[k]}" for k in sorted(self.options)])


def split_volid(volid: str) -> tuple[str | None, str]:
    """(storage id, volume name); the storage is None for a path or a keyword."""
    if ":" not in volid or volid.startswith("/"):
        return None, volid
    storage, _, name = volid.partition(":")
    return storage, name


def parse(key: str, text: str) -> Drive:
    """A drive string as a client sends it: `file=` or bare volume, booleans in any spelling, stray commas."""
    volume, options = "", {}
    for part in str(text).split(","):
        name, equals, value = part.strip().partition("=")
        if not equals:
            volume = name or volume
        elif name in ("file", "volume"):
            volume = value
        elif name in BOOLEAN_OPTIONS:
            options[name] = BOOLEAN.get(value, value)
        else:
            options[name] = value
    return Drive(key, volume, options)


def of_config(config: dict) -> list[Drive]:
    """The drives of a config, by key as PVE sorts them when it creates and clones."""
    return [parse(key, config[key]) for key in sorted(config) if KEY.match(key)]


def bus_rank(drive: Drive) -> tuple[int, int]:
    """Sort key of PVE's own walk over a config."""
    bus = drive.key.rstrip("0123456789")
    return BUS_ORDER.index(bus), int(drive.key[len(bus):])


def parse_size(text: str) -> int | None:
    """`32G`, `528K`, `2147483648` in bytes; None for anything else."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([KMGT]?)", str(text))
    return int(float(found.group(1)) * UNITS[found.group(2)]) if found else None


def format_size(size: int) -> str:
    """Bytes with the largest unit that leaves a whole number."""
    value = size
    for unit in ("", "K", "M", "G", "T"):
        if unit == "T" or value % 1024:
            return f"{value}{unit}"
        value //= 1024
    return str(size)


def human_size(size: int) -> str:
    """Bytes as qemu-img's progress shows them: 528.0 KiB, 1.5 GiB."""
    value = float(size)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if value < 1024:
            return f"{value:.1f} {unit}"
        value /= 1024
    return f"{value:.1f} TiB"


def boot_order(config: dict) -> str:
    """The devices PVE boots from when nothing is said: first disk, first CD-ROM, first NIC."""
    disks = [d for d in of_config(config) if not d.key.startswith(("efidisk", "tpmstate"))]
    disks.sort(key=lambda d: (("ide", "sata", "scsi", "virtio").index(d.key.rstrip("0123456789")), d.key))
    hard = [d.key for d in disks if not d.is_cdrom]
    optical = [d.key for d in disks if d.is_cdrom and not d.is_cloudinit and not d.volume.endswith(":cloudinit")]
    nics = sorted(key for key in config if re.fullmatch(r"net\d+", key))
    order = hard[:1] + optical[:1] + nics[:1]
    return "order=" + ";".join(order) if order else " "


def one_of(key: str, *prefixes: str) -> bool:
    """True for numbered options of these names: net0, scsi1."""
    return key.startswith(prefixes) and key[-1].isdigit()
