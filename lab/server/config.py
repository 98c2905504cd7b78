"""Config of a VM: reading it, changing it (now or pending), resizing and unlinking disks."""

from __future__ import annotations

import re

from fakepve import schema as pve_schema
from fakepve.model import TaskError
from fakepve.routing import die, param_error, split_list

from . import drives
from .checks import CLOUDINIT_OPTIONS
from .drives import Drive, one_of
from .tasks import Task

# Options that a running VM takes at once. Those of cloud-init are among them: what is pending is its drive.
AT_ONCE = {"lock", "name", "onboot", "shares", "startup", "description", "protection", "vmstatestorage", "hookscript",
           "tags", "parent", "cpuunits", "cpulimit", *CLOUDINIT_OPTIONS}
# What is hotplugged unless the VM's `hotplug` says otherwise.
HOTPLUG = "network,disk,usb"
HOTPLUG_FEATURES = {"net": "network", "scsi": "disk", "virtio": "disk", "usb": "usb"}
# Parts of a NIC that make it another one; others are changed on the host's side.
NIC_PARTS = re.compile(r"(?:^|,)((?:macaddr|model|mtu|queues|e1000\w*|i8\w+|ne2k\w+|pcnet|rtl8139|virtio|vmxnet3)=[^,]+)")
RESIZE_SECONDS = 0.3
CONFIG_SECONDS = 0.1


class ConfigApi:
    """Mixin: /nodes/{node}/qemu/{vmid}/config and its neighbours."""

    def _routes_lab_config(self):
        one = "/nodes/{node}/qemu/{vmid}"
        return [("PUT", one + "/resize", self.disk_resize), ("PUT", one + "/unlink", self.disk_unlink)]

    async def config_get(self, values: dict, user: str) -> dict:
        vm = self.find(values["node"], values["vmid"])
        config = dict(vm.config) if values.get("current") else self.merged(vm)
        return {**self.masked(config), "digest": vm.digest()}

    async def config_pending(self, values: dict, user: str) -> list[dict]:
        vm = self.find(values["node"], values["vmid"])
        config, pending = self.masked(vm.config), self.masked(vm.pending)
        items = []
        for key in sorted(set(config) | set(pending)):
            item = {"key": key}
            if key in config:
                item["value"] = config[key]
            if key in pending and pending[key] is None:
                item["delete"] = 1
            elif key in pending:
                item["pending"] = pending[key]
            items.append(item)
        return [*items, {"key": "digest", "value": vm.digest()}]

    # ------------------------------------------------------------- changing

    def _known_option(self, name: str) -> bool:
        spec = pve_schema.load().paths["/nodes/{node}/qemu/{vmid}/config"]["PUT"]["parameters"]["properties"]
        return pve_schema._prop(spec, name) is not None and name not in ("node", "vmid", "digest", "delete", "skiplock")

    def _prepare(self, values: dict, user: str) -> tuple[dict, list[str]]:
        """Checks of parameters that need no VM: (what is set, what is deleted)."""
        if values.get("skiplock") and user != "root@pam":
            raise param_error(skiplock="Only root may use this option.")
        updates = {k: v for k, v in values.items()
                   if k not in ("node", "vmid", "digest", "delete", "skiplock", "background_delay", "force", "revert")}
        deletes = split_list(values.get("delete"))
        if not updates and not deletes and not values.get("revert"):
            raise die("no options specified")
        for key in deletes:
            if key in updates:
                raise param_error(delete=f"you can't use '-{key}' and -delete {key}' at the same time")
            if not self._known_option(key) and key != "lock":
                raise param_error(delete=f"unknown option '{key}'")
        return updates, deletes

    @staticmethod
    def _check_unchanged(vm, values: dict, deletes: list[str]) -> None:
        if values.get("digest") and values["digest"] != vm.digest():
            raise die("checksum mismatch (file change by other user?)")
        locked = vm.config.get("lock")
        if locked and not values.get("skiplock") and "lock" not in deletes:
            raise die(f"VM is locked ({locked})")

    async def apply_config(self, values: dict, user: str, task: Task | None = None) -> None:
        node, vmid = values["node"], int(values["vmid"])
        updates, deletes = self._prepare(values, user)
        asked = {k: drives.parse(k, v) for k, v in updates.items() if drives.KEY.match(k)}
        vm = self.find(node, vmid)
        for drive in asked.values():
            self.check_drive(user, node, vmid, drive)
        self.check_options(user, vmid, None, updates, tuple(deletes))
        self.check_networks(user, updates)
        self.need_quorum()
        self._check_unchanged(vm, values, deletes)
        holder = task.upid if task else "config"
        try:
            await self.acquire(vm, holder)
        except TaskError as error:
            raise die(str(error)) from None
        try:
            for key in split_list(values.get("revert")):
                self._revert(vm, node, key)
            await self._change(vm, node, updates, deletes, asked, bool(values.get("force")), task)
        except TaskError as error:
            raise die(str(error)) from None
        finally:
            self.release(vm, holder)
        vm.name = vm.config.get("name") or f"VM {vmid}"

    async def _change(self, vm, node: str, updates: dict, deletes: list[str], asked: dict[str, Drive],
                      force: bool, task: Task | None) -> None:
        order = self._boot_devices(vm)
        if "boot" in updates:
            self._check_boot(vm, str(updates["boot"]), set(updates), deletes)
        for key in deletes:
            if key in order and "boot" not in updates:
                order.remove(key)
                self._set(vm, "boot", "order=" + ";".join(order) if order else " ")
            self._delete(vm, node, key, force)
        for key in sorted(updates):
            if key in asked:
                await self._set_drive(vm, node, asked[key], order, "boot" not in updates, task)
            else:
                value = self.clean_option(key, updates[key])
                if value is None:
                    self._delete(vm, node, key, False)
                    continue
                # A NIC without a MAC gets a new one, even if it had one before.
                self._set(vm, key, value)
        self.hotplug_cloudinit(vm)

    @staticmethod
    def _boot_devices(vm) -> list[str]:
        text = str(vm.pending.get("boot") or vm.config.get("boot", "")).strip()
        return [d for d in text.removeprefix("order=").split(";") if d] if text.startswith("order=") else []

    def _check_boot(self, vm, text: str, updates: set[str], deletes: list[str]) -> None:
        known = (set(self.merged(vm)) | updates) - set(deletes)
        for device in text.removeprefix("order=").split(";") if text.startswith("order=") else []:
            if device and device not in known:
                raise die(f"invalid bootorder: device '{device}' does not exist'")

    def _live(self, vm, key: str) -> bool:
        """True if the change takes effect now: the VM is stopped, or the option needs no restart."""
        return vm.status != "running" or key in AT_ONCE or one_of(key, "ipconfig", "unused") or \
            self._hotplugs(vm, key)

    @staticmethod
    def _hotplugs(vm, key: str) -> bool:
        wanted = str(vm.config.get("hotplug", "1"))
        features = split_list(HOTPLUG if wanted == "1" else wanted)
        return any(one_of(key, prefix) and feature in features for prefix, feature in HOTPLUG_FEATURES.items())

    def _set(self, vm, key: str, value) -> None:
        same_nic = one_of(key, "net") and key in vm.config and \
            NIC_PARTS.findall(str(vm.config[key])) == NIC_PARTS.findall(str(value))
        if same_nic or self._live(vm, key):
            if vm.status == "running" and vm.config.get(key) != value:
                self.record_cloudinit(vm, key, vm.config.get(key), value)
            vm.config[key] = value
            vm.pending.pop(key, None)
        elif vm.config.get(key) == value:
            vm.pending.pop(key, None)
        else:
            vm.pending[key] = value

    def _revert(self, vm, node: str, key: str) -> None:
        """What is pending for an option is no more; a disk that was to come is kept as unused."""
        value = vm.pending.pop(key, None)
        if value is not None and drives.KEY.match(key):
            drive = drives.parse(key, value)
            if drive.volume != str(vm.config.get(key, "")).split(",")[0]:
                self._detach(vm, node, drive)

    def _delete(self, vm, node: str, key: str, force: bool) -> None:
        vm.pending.pop(key, None)
        if key not in vm.config:
            return
        if not self._live(vm, key):
            vm.pending[key] = None
            return
        if drives.UNUSED.match(key):
            self.free(vm.config[key].split(",")[0], node)
        elif drives.KEY.match(key):
            self._detach(vm, node, drives.parse(key, vm.config[key]), force)
        if vm.status == "running":
            self.record_cloudinit(vm, key, vm.config[key], None)
        vm.config.pop(key, None)

    def _detach(self, vm, node: str, drive: Drive, force: bool = False) -> None:
        """A drive leaves the config: cloud-init volumes go, disks become `unusedN`."""
        if drive.is_cloudinit:
            self.free(drive.volume, node)
            vm.special = {}
        elif not drive.is_cdrom and self.volume(drive.volume, node) is not None:
            if force:
                self.free(drive.volume, node)
                return
            number = next(n for n in range(256) if f"unused{n}" not in vm.config)
            vm.config[f"unused{number}"] = drive.volume

    async def _set_drive(self, vm, node: str, drive: Drive, order: list[str], touch_boot: bool,
                         task: Task | None) -> None:
        key = drive.key
        before = drives.parse(key, vm.config[key]) if key in vm.config else None
        same = before is not None and before.volume == drive.volume
        if before is not None and not same and not before.is_cdrom and not drive.is_cdrom \
                and drive.volume.endswith(":cloudinit"):
            self._detach(vm, node, before)
        made: list[str] = []
        other = self.cloudinit_drive(self.merged(vm))
        if drive.volume.endswith(":cloudinit") and other is not None and other.key != key:
            raise die(f"{key} - cloud-init drive is already attached at '{other.key}'")
        storage = drives.split_volid(drive.volume)[0]
        creates = bool(drives.NEW_DISK.match(drive.volume)) or drive.volume.endswith(":cloudinit")
        async with self.storage_lock({storage} if creates and storage in self.storages else set(), node):
            value = await self.make_drive(vm.vmid, node, drive, task, made)
        if before is not None and not same and str(before.volume) != drives.parse(key, value).volume:
            self._detach(vm, node, before)
        for number in [k for k in vm.config if drives.UNUSED.match(k)]:
            if vm.config[number].split(",")[0] == drive.volume:
                del vm.config[number]
        result = drives.parse(key, value)
        if touch_boot and order and result.is_cdrom and not result.is_cloudinit and key not in order:
            # PVE marks a new CD drive as bootable once there is a boot order.
            order.append(key)
            self._set(vm, "boot", "order=" + ";".join(order))
        self._set(vm, key, value)

    async def config_put(self, values: dict, user: str) -> None:
        await self.apply_config(values, user)

    async def config_post(self, values: dict, user: str) -> str:
        vm = self.find(values["node"], values["vmid"])
        updates, deletes = self._prepare(values, user)
        self.check_options(user, int(values["vmid"]), None, updates, tuple(deletes))
        self._check_unchanged(vm, values, deletes)
        said = {**updates, **{k: values[k] for k in ("delete", "revert") if values.get(k)}}
        words = [f"-{k} {'<hidden>' if k == 'cipassword' else v}" for k, v in sorted(said.items())]

        async def body(task: Task) -> None:
            task.log(f"update VM {values['vmid']}: {' '.join(words)}")
            await self.pause(CONFIG_SECONDS)
            await self.apply_config(values, user, task)
        return await self.start_task(values["node"], "qmconfig", values["vmid"], user, body)

    # --------------------------------------------------------- single disks

    async def disk_unlink(self, values: dict, user: str) -> None:
        await self.apply_config({"node": values["node"], "vmid": values["vmid"], "delete": values["idlist"],
                                 "force": values.get("force")}, user)

    async def disk_resize(self, values: dict, user: str) -> str:
        node, vmid, key, size = values["node"], values["vmid"], values["disk"], str(values["size"])
        if values.get("skiplock") and user != "root@pam":
            raise param_error(skiplock="Only root may use this option.")
        self.need_quorum()

        async def body(task: Task) -> None:
            vm = self.find(node, vmid)
            async with self.config_lock(vm, task.upid, task.log):
                if vm.config.get("lock"):
                    raise TaskError(f"VM is locked ({vm.config['lock']})")
                if key not in vm.config:
                    raise TaskError(f"disk '{key}' does not exist")
                drive = drives.parse(key, vm.config[key])
                volume = self.volume(drive.volume, node)
                if volume is None or drive.is_cdrom:
                    raise TaskError("you can't resize a cdrom" if drive.is_cdrom else
                                    f"volume '{drive.volume}' does not exist")
                found = re.fullmatch(r"(\+?)(\d+(?:\.\d+)?[KMGT]?)", size)
                wanted = drives.parse_size(found.group(2)) if found else None
                if wanted is None:
                    raise TaskError(f"unable to parse size '{size}'")
                target = volume.size + wanted if found.group(1) else wanted
                if target < volume.size:
                    raise TaskError("shrinking disks is not supported")
                if target == volume.size:
                    return
                await self.pause(RESIZE_SECONDS)
                if "base-" in drive.volume.rsplit("/", 1)[-1]:
                    path = self.volume_path(drive.volume)
                    task.log(f"qemu-img: Could not open '{path}': Could not open '{path}': Operation not permitted")
                    how = "'--preallocation=off' " if volume.format == "raw" else ""
                    raise TaskError(f"command '/usr/bin/qemu-img resize {how}-f {volume.format} {path} {target}' "
                                    "failed: exit code 1")
                if vm.status != "running":
                    task.log("Image resized." if self.is_dir(drive.storage) else
                             "  Logical volume successfully resized.")
                volume.size = target
                drive.options["size"] = drives.format_size(target)
                vm.config[key] = str(drive)
        return await self.start_task(node, "resize", vmid, user, body)
