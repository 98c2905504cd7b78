"""VMs: creating, showing and destroying them. What a client reads back is what PVE would have written."""

from __future__ import annotations

import asyncio
import json
import re
import time
import uuid

from fakepve.model import FakeVm, PveError, TaskError
from fakepve.qemu import with_mac
from fakepve.routing import die, param_error, sha1

from . import drives, qcow2
from .drives import Drive, split_volid
from .tasks import Task

QEMU_VERSION = "10.0.2"
EFI_SIZE = 540_672
TPM_SIZE = 4 * 1024**2
CLOUDINIT_SIZE = 4 * 1024**2
# Parameters of the create call that are no options of a VM.
NOT_OPTIONS = {"node", "vmid", "archive", "storage", "force", "unique", "live-restore", "pool", "bwlimit", "start",
               "ha-managed", "import-working-storage"}
CPU_OPTIONS = {"sockets", "cores", "cpu", "numa", "cpulimit", "cpuunits", "vcpus"}
MEMORY_OPTIONS = {"memory", "balloon", "shares", "hugepages", "keephugepages", "allow-ksm"}
HARDWARE_OPTIONS = {"acpi", "hotplug", "kvm", "machine", "scsihw", "smbios1", "tablet", "vga", "watchdog", "audio0",
                    "rng0"}
CLOUDINIT_OPTIONS = {"cicustom", "cipassword", "citype", "ciuser", "ciupgrade", "nameserver", "searchdomain", "sshkeys"}
ROOT_OPTIONS = {"args", "hookscript", "lock", "arch", "affinity"}
# PVE seconds that the steps take (measured on a small node).
CREATE_SECONDS = 0.6
DISK_SECONDS = 0.3
COPY_BYTES_PER_SECOND = 400 * 1024**2
DESTROY_SECONDS = 0.8


def one_of(key: str, *prefixes: str) -> bool:
    return key.startswith(prefixes) and key[-1].isdigit()


class LabVm(FakeVm):
    """A VM whose digest covers what is pending, as the digest of PVE's config file does."""

    def digest(self) -> str:
        return sha1(json.dumps([self.config, self.pending, self.snapshots], sort_keys=True))


class GuestApi:
    """Mixin: /nodes/{node}/qemu and what a VM is made of."""

    def _routes_lab_guests(self):
        one = "/nodes/{node}/qemu/{vmid}"
        return [("POST", "/nodes/{node}/qemu", self.guest_create), ("DELETE", one, self.guest_destroy)]

    # ------------------------------------------------------------- looking

    def new_vm(self, vmid: int, node: str) -> LabVm:
        vm = LabVm(vmid, f"VM {vmid}", node=node)
        vm.config = {}
        vm.born = time.monotonic()
        self.vms.append(vm)
        return vm

    def merged(self, vm: FakeVm) -> dict:
        """The config with what is pending applied: what GET config shows."""
        config = dict(vm.config)
        for key, value in vm.pending.items():
            if value is None:
                config.pop(key, None)
            else:
                config[key] = value
        return config

    @staticmethod
    def masked(config: dict) -> dict:
        return {k: "**********" if k == "cipassword" else v for k, v in config.items()}

    def _vm_usage(self, vm):
        config = vm.config
        running = vm.status == "running"
        memory = int(str(config.get("memory", 512)).split("=")[-1].split(",")[0]) * 1024**2
        bootable = [d for d in drives.of_config(config) if not d.is_cdrom and not one_of(d.key, "efidisk", "tpmstate")]
        order = str(config.get("boot", "")).removeprefix("order=").split(";")
        bootable.sort(key=lambda d: (order.index(d.key) if d.key in order else 99, drives.bus_rank(d)))
        size = drives.parse_size(bootable[0].options.get("size", "0")) if bootable else 0
        used = min(memory, 96 * 1024**2) if running else 0
        return {"cpu": 0.01 if running else 0, "mem": used, "memhost": used, "disk": 0, "diskread": 0, "diskwrite": 0,
                "netin": 0, "netout": 0, "maxdisk": size or 0, "maxmem": memory,
                "maxcpu": int(config.get("cores", 1)) * int(config.get("sockets", 1)),
                "uptime": int((time.time() - vm.started_at)) if running and vm.started_at else 0}

    def _summary(self, vm) -> dict:
        use = self._vm_usage(vm)
        item = {"vmid": vm.vmid, "name": vm.config.get("name") or f"VM {vm.vmid}", "status": vm.status,
                "cpus": use.pop("maxcpu"), **use}
        if vm.config.get("template"):
            item["template"] = 1
        if "serial0" in vm.config:
            item["serial"] = 1
        tags = str(vm.config.get("tags", "")).strip()
        if tags:
            item["tags"] = tags
        if vm.config.get("lock"):
            item["lock"] = vm.config["lock"]
        if vm.status == "running":
            item["pid"] = 2000 + vm.vmid
            item.update(dict.fromkeys(("pressurecpusome", "pressurecpufull", "pressureiosome", "pressureiofull",
                                       "pressurememorysome", "pressurememoryfull"), 0))
        return item

    async def guest_list(self, values: dict, user: str) -> list[dict]:
        items = []
        for vm in sorted(self.vms, key=lambda v: v.vmid):
            if vm.node == values["node"] and self.allowed(user, f"/vms/{vm.vmid}", "VM.Audit"):
                item = self._summary(vm)
                item.pop("diskread"), item.pop("diskwrite")
                items.append(item)
        return items

    async def guest_current(self, values: dict, user: str) -> dict:
        vm = self.find(values["node"], values["vmid"])
        item = {**self._summary(vm), "qmpstatus": vm.qmpstatus, "ha": {"managed": 0}}
        item.pop("diskread"), item.pop("diskwrite")
        if self.agent_configured(vm):
            item["agent"] = 1
        return item

    @staticmethod
    def agent_configured(vm) -> bool:
        first = str(vm.config.get("agent", "0")).split(",")[0]
        return first in ("1", "enabled=1")

    # ------------------------------------------------------------ privileges

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

    def check_networks(self, user: str, values: dict) -> None:
        """A bridge needs SDN.Use; whether it exists is found out at start."""
        for key in sorted(values):
            bridge = re.search(r"(?:^|,)bridge=([^,]+)", str(values[key])) if one_of(key, "net") else None
            if bridge:
                self.require(user, f"/sdn/zones/localnetwork/{bridge.group(1)}", "SDN.Use")

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
        if new or name == "cloudinit":
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

    # ---------------------------------------------------------------- disks

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
            real = self.file_of(source, node)
            if real is None:
                path = self.volume_path(source) if split_volid(source)[0] else source
                raise die(f"failed to stat '{path}'")
            try:
                info = qcow2.inspect(real)
            except qcow2.BadImage as error:
                raise die(f"cannot import from '{source}' - qemu-img: Could not open "
                          f"'{self.volume_path(source)}': {error}") from None
            size, data, fmt = info.size, info.data, info.format
        if task:
            task.log(f"create full clone of drive ({source})")
        volid = self.allocate(storage, node, vmid, size, wanted or (fmt if self.is_dir(storage) else "raw"), data=data)
        self.log_formatting(task, volid, node)
        if task:
            task.log(f"allocated target volume '{volid}'")
        try:
            await self.copy_data(data, None)
        except asyncio.CancelledError:
            if task and task.aborted:
                self.free(volid, node)
            raise
        if task:
            shown = drives.human_size(size)
            task.log(f"transferred {shown} of {shown} (100.00%)")
        return volid

    async def copy_data(self, size: int, bwlimit: int | None) -> None:
        """The time qemu-img takes to copy so many bytes; `bwlimit` is in KiB/s."""
        rate = bwlimit * 1024 if bwlimit else COPY_BYTES_PER_SECOND
        await self.pause(size / rate)

    # --------------------------------------------------------------- create

    def clean_option(self, key: str, value):
        """A value as PVE stores it."""
        if one_of(key, "net"):
            return with_mac(value)
        if key == "tags":
            tags = [t.lower() for t in re.split(r"[;, ]+", str(value)) if t]
            return ";".join(sorted(set(tags))) or " "
        return " " if value == "" else value

    async def guest_create(self, values: dict, user: str) -> str:
        node, vmid, pool = values["node"], int(values["vmid"]), values.get("pool")
        options = {k: v for k, v in values.items() if k not in NOT_OPTIONS}
        self._qm_check_pool(pool)
        if not (self.allowed(user, f"/vms/{vmid}", "VM.Allocate")
                or (pool and self.allowed(user, "/pool/" + pool, "VM.Allocate"))):
            raise PveError(403, "Permission check failed")
        if values.get("start"):
            self.require_any(user, f"/vms/{vmid}", pool, "VM.PowerMgmt")
        if values.get("archive"):
            raise die(f"unable to restore VM {vmid} - the lab restores no archives")
        asked = [drives.parse(k, options[k]) for k in sorted(options) if drives.KEY.match(k)]
        for drive in asked:
            self.check_drive(user, node, vmid, drive)
        self.check_options(user, vmid, pool, options)
        self.check_networks(user, options)
        self.need_quorum()
        prefix = f"unable to create VM {vmid} -"
        taken = self.vm(vmid)
        if taken is not None:
            raise die(f"{prefix} VM {vmid} already exists on node '{taken.node}'")
        vm = self.new_vm(vmid, node)
        vm.config["lock"] = "create"

        async def body(task: Task) -> None:
            made: list[str] = []
            config = {k: self.clean_option(k, v) for k, v in options.items() if not drives.KEY.match(k)}
            try:
                await self.pause(CREATE_SECONDS)
                stores = {s for s in (split_volid(d.volume)[0] for d in asked) if s in self.storages}
                async with self.storage_lock(stores):
                    for drive in asked:
                        config[drive.key] = await self.make_drive(vmid, node, drive, task, made)
            except (PveError, TaskError) as error:
                self._forget(vm, made)
                raise TaskError(f"{prefix} {getattr(error, 'message', None) or error}") from error
            except asyncio.CancelledError:
                if task.aborted:
                    self._forget(vm, made)
                raise
            config["meta"] = f"creation-qemu={QEMU_VERSION},ctime={int(time.time())}"
            config.setdefault("boot", drives.boot_order(config))
            config.setdefault("smbios1", f"uuid={uuid.uuid4()}")
            if str(config.get("vmgenid", "1")) == "1":
                config["vmgenid"] = str(uuid.uuid4())
            if config.get("template") == 0:
                config.pop("template")
            if config.get("template"):
                for drive in drives.of_config(config):
                    if not drive.is_cdrom:
                        drive.volume = self.make_base(drive.volume, node)
                        config[drive.key] = str(drive)
            vm.config = config
            vm.name = config.get("name") or f"VM {vmid}"
            vm.template = bool(config.get("template"))
            if pool:
                self._pool_join(pool, vmid)
            if values.get("start"):
                await self.power_on(vm, task)
        return await self.start_task(node, "qmcreate", vmid, user, body)

    def _forget(self, vm, made: list[str]) -> None:
        """Undo a VM that did not come to be."""
        for volid in made:
            self.free(volid, vm.node)
        if vm in self.vms:
            self.vms.remove(vm)

    # -------------------------------------------------------------- destroy

    async def guest_destroy(self, values: dict, user: str) -> str:
        node, vmid = values["node"], int(values["vmid"])
        if values.get("skiplock") and user != "root@pam":
            raise param_error(skiplock="Only root may use this option.")
        vm = self.find(node, vmid)
        if vm.config.get("protection") in (1, "1"):
            raise die(f"can't remove VM {vmid} - protection mode enabled")
        self.need_quorum()
        if vm.status == "running":
            raise die(f"VM {vmid} is running - destroy failed")

        async def body(task: Task) -> None:
            async with self.config_lock(vm, task.upid, task.log):
                if self.vm(vmid) is not vm:
                    raise TaskError(f"Configuration file 'nodes/{node}/qemu-server/{vmid}.conf' does not exist")
                locked = vm.config.get("lock")
                if locked and not values.get("skiplock"):
                    raise TaskError(f"VM is locked ({locked})")
                if vm.status == "running":
                    raise TaskError(f"VM {vmid} is running - destroy failed")
                for drive in sorted(drives.of_config(vm.config), key=drives.bus_rank):
                    if vm.config.get("template") and not drive.is_cdrom and self.base_in_use(drive.volume, node):
                        raise TaskError(f"base volume '{drive.volume}' is still in use by linked cloned")
                await self.pause(DESTROY_SECONDS)
                for drive in drives.of_config(vm.config):
                    if not drive.is_cdrom or drive.is_cloudinit:
                        self._free_own(drive.volume, vm)
                for key in [k for k in vm.config if drives.UNUSED.match(k)]:
                    self._free_own(vm.config[key].split(",")[0], vm)
                if values.get("destroy-unreferenced-disks"):
                    for volid in self.owned_by(vmid, node):
                        self.free(volid, node)
                self.vms.remove(vm)
                self._pool_leave(vmid)
                self._fw()["guests"].pop(vmid, None)
                self.entries = [e for e in self.entries if e.path != f"/vms/{vmid}"]
                if values.get("purge"):
                    task.log(f"purging VM {vmid} from related configurations..")
        return await self.start_task(node, "qmdestroy", vmid, user, body)

    def _free_own(self, volid: str, vm) -> None:
        """A VM that is destroyed takes only volumes along that carry its number."""
        volume = self.volume(volid, vm.node)
        if volume is not None and volume.vmid == vm.vmid:
            self.free(volid, vm.node)
