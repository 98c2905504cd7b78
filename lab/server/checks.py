"""What PVE refuses before any worker starts: privileges per option, options for root alone, drives and bridges."""

from __future__ import annotations

import re

from fakepve.model import PveError
from fakepve.routing import die, param_error

from . import drives
from .drives import Drive, one_of, split_volid

CPU_OPTIONS = {"sockets", "cores", "cpu", "numa", "cpulimit", "cpuunits", "vcpus"}
MEMORY_OPTIONS = {"memory", "balloon", "shares", "hugepages", "keephugepages", "allow-ksm"}
HARDWARE_OPTIONS = {"acpi", "hotplug", "kvm", "machine", "scsihw", "smbios1", "tablet", "vga", "watchdog", "audio0",
                    "rng0"}
CLOUDINIT_OPTIONS = {"cicustom", "cipassword", "citype", "ciuser", "ciupgrade", "nameserver", "searchdomain", "sshkeys"}
ROOT_OPTIONS = {"args", "hookscript", "lock", "arch", "affinity"}


class CheckApi:
    """Mixin: checks of a create or a change of a VM."""

    @staticmethod
    def option_privileges(key: str) -> tuple[str, ...]:
        """PVE::API2::Qemu::check_vm_modify_config_perm: a change of an option needs one of these."""
        if key in CPU_OPTIONS or one_of(key, "numa"):
            return ("VM.Config.CPU",)
        if key in MEMORY_OPTIONS:
            return ("VM.Config.Memory",)
        if key in HARDWARE_OPTIONS or one_of(key, "hostpci", "usb", "serial", "parallel"):
            return ("VM.Config.HWType",)
        if key in CLOUDINIT_OPTIONS or one_of(key, "ipconfig"):
            return ("VM.Config.Cloudinit", "VM.Config.Network")
        if one_of(key, "net"):
            return ("VM.Config.Network",)
        if drives.KEY.match(key) or drives.UNUSED.match(key) or key in ("boot", "bootdisk", "vmstatestorage"):
            return ("VM.Config.Disk",)
        return ("VM.Config.Options",)

    def check_options(self, user: str, vmid: int, pool: str | None, values: dict, deletes: tuple = ()) -> None:
        """Every option that is set or deleted: its privilege, and what is for root@pam alone."""
        path = f"/vms/{vmid}"
        for key in sorted(set(values) | set(deletes)):
            drive = drives.parse(key, values[key]) if drives.KEY.match(key) and key in values else None
            if drive and (drive.is_cloudinit or drive.volume.endswith(":cloudinit")):
                self.require_any(user, path, pool, "VM.Config.Cloudinit")
                self.require_any(user, path, pool, "VM.Config.CDROM")
            elif drive and drive.is_cdrom:
                self.require_any(user, path, pool, "VM.Config.CDROM")
            else:
                self.require_any(user, path, pool, *self.option_privileges(key))
            if user != "root@pam":
                self._check_root_only(user, key, str(values[key]) if key in values else None)
            if key == "startup":
                # It changes how the node behaves.
                self.require(user, "/", "Sys.Modify")

    def _check_root_only(self, user: str, key: str, value: str | None) -> None:
        """Options that touch the host itself. A token of root is not root."""
        if key in ROOT_OPTIONS:
            raise die(f"only root can set '{key}' config")
        if value is None:
            return
        if one_of(key, "serial", "parallel") and value != "socket":
            raise die(f"only root can set '{key}' config for real devices")
        if one_of(key, "hostpci", "usb"):
            mapping = re.search(r"(?:^|,)mapping=([^,]+)", value)
            if mapping is None and not value.startswith(("spice", "host=spice")):
                raise die(f"only root can set '{key}' config for non-mapped devices")
            if mapping:
                kind = "pci" if key.startswith("hostpci") else "usb"
                self.require(user, f"/mapping/{kind}/{mapping.group(1)}", "Mapping.Use")

    def require_any(self, user: str, path: str, pool: str | None, *privileges: str) -> None:
        for privilege in privileges:
            if self.allowed(user, path, privilege) or (pool and self.allowed(user, "/pool/" + pool, privilege)):
                return
        raise PveError(403, f"Permission check failed ({path}, {'|'.join(privileges)})")

    def check_mappings(self, user: str, config: dict) -> None:
        """The host's devices that a clone would use too."""
        for key in sorted(config):
            if one_of(key, "hostpci", "usb") and user != "root@pam":
                self._check_root_only(user, key, str(config[key]))

    def check_networks(self, user: str, values: dict) -> None:
        """A bridge, or its VLAN, needs SDN.Use; whether it exists is found out at start."""
        for key in sorted(values):
            parts = dict(p.split("=", 1) for p in str(values[key]).split(",") if "=" in p) if one_of(key, "net") else {}
            if "bridge" not in parts:
                continue
            path = f"/sdn/zones/localnetwork/{parts['bridge']}"
            tags = [parts["tag"]] if parts.get("tag", "0") != "0" else []
            tags += sorted(parts["trunks"].split(";")) if "trunks" in parts else []
            for tag in tags or [None]:
                self.require(user, path if tag is None else f"{path}/{tag}", "SDN.Use")

    def check_drive(self, user: str, node: str, vmid: int, drive: Drive) -> None:
        """What PVE checks of one drive before any worker starts."""
        source = drive.options.get("import-from")
        new = drives.NEW_DISK.match(drive.volume)
        if source is not None:
            if not new or float(new.group(2)) != 0:
                raise param_error(**{drive.key: "'import-from' requires special syntax - use <storage ID>:0,"
                                                "import-from=<source>"})
        if drive.volume in ("none", "cdrom", ""):
            return
        if drive.volume.startswith("/"):
            if user != "root@pam":
                raise die("Only root can pass arbitrary filesystem paths.")
            return
        storage, name = split_volid(drive.volume)
        if storage is None:
            raise param_error(**{drive.key: f"unable to parse volume ID '{drive.volume}'\n"})
        if name == "cloudinit":
            # Whether there is such a datastore, and what it takes, is found out later.
            self.require(user, "/storage/" + storage, "Datastore.AllocateSpace")
            return
        if new:
            self._store(storage)
            self.require(user, "/storage/" + storage, "Datastore.AllocateSpace")
            self.storage_for_images(storage, node)
            if source is not None:
                self.check_import(user, node, drive.key, source)
            return
        self._store(storage)
        kind = name.partition("/")[0]
        if kind == "iso":
            self.require_any(user, "/storage/" + storage, None, "Datastore.AllocateSpace", "Datastore.Audit")
            return
        owner = self.volume(drive.volume, node)
        if owner and owner.vmid != vmid:
            self.require(user, "/storage/" + storage, "Datastore.Audit")
            self.require(user, f"/vms/{owner.vmid}", "VM.Config.Disk")

    def check_import(self, user: str, node: str, key: str, source: str) -> None:
        storage, name = split_volid(source)
        if storage is None:
            if user != "root@pam":
                raise die("Only root can pass arbitrary filesystem paths.")
            return
        self._store(storage)
        kind = name.partition("/")[0]
        if kind == "import":
            if not self.allowed(user, "/storage/" + storage, "Datastore.Allocate"):
                self.require_any(user, "/storage/" + storage, None, "Datastore.AllocateSpace", "Datastore.Audit")
            return
        if kind in ("iso", "vztmpl", "backup", "snippets"):
            raise param_error(**{key: f"{source} has wrong type '{kind}' - needs to be 'images' or 'import'"})
        volume = self.volume(source, node)
        if volume is not None:
            self.require(user, "/storage/" + storage, "Datastore.Audit")
            self.require(user, f"/vms/{volume.vmid}", "VM.Clone")
