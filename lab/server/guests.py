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

from . import drives
from .drives import one_of, split_volid
from .fleet import Config
from .tasks import Task

QEMU_VERSION = "10.0.2"
# Parameters of the create call that are no options of a VM.
NOT_OPTIONS = {"node", "vmid", "archive", "storage", "force", "unique", "live-restore", "pool", "bwlimit", "start",
               "ha-managed", "import-working-storage"}
# PVE seconds that the steps take (measured on a small node).
CREATE_SECONDS = 0.6
# How long a create waits for the lock of a VM that somebody makes already.
CREATE_LOCK_WAIT = 5.0
DESTROY_SECONDS = 0.8


class LabVm(FakeVm):
    """A VM whose digest covers what is pending, as the digest of PVE's config file does; and what a guest does."""

    # PVE seconds after start from which the agent answers, or "never"; None: as the snippets install it.
    agent_after = None
    # How cloud-init fares: {"seconds", "result", "errors", "missing"}.
    cloud_init = None
    # What the cloud-init drive was last written from, and how the config of a running VM differs from that by now.
    generated = None
    special: dict = {}
    # What the guest has since its last boot (boot.py).
    guest_memory = None

    @property
    def config(self) -> Config:
        return self._config

    @config.setter
    def config(self, values: dict) -> None:
        self._config = Config(values)

    def digest(self) -> str:
        return sha1(json.dumps([self.config, self.pending, self.snapshots, self.special], sort_keys=True))


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
        for name, value in {**self.guest_plans.get("new", {}), **self.guest_plans.get(str(vmid), {})}.items():
            setattr(vm, name, value)
        self.vms.append(vm)
        return vm

    def merged(self, vm: FakeVm) -> dict:
        """The config with what is pending applied: what GET config shows."""
        config = dict(vm.config)
        if not vm.pending:
            return config
        for key, value in vm.pending.items():
            if value is None:
                config.pop(key, None)
            else:
                config[key] = value
        return config

    @staticmethod
    def masked(config: dict) -> dict:
        return {k: "**********" if k == "cipassword" else v for k, v in config.items()}

    @staticmethod
    def _configured(config: Config) -> tuple[int, int, int]:
        """(bytes of memory, CPUs, bytes of the first disk) of a config."""
        memory = int(str(config.get("memory", 512)).split("=")[-1].split(",")[0]) * 1024**2
        bootable = [d for d in drives.of_config(config) if not d.is_cdrom and not one_of(d.key, "efidisk", "tpmstate")]
        order = str(config.get("boot", "")).removeprefix("order=").split(";")
        bootable.sort(key=lambda d: (order.index(d.key) if d.key in order else 99, drives.bus_rank(d)))
        size = drives.parse_size(bootable[0].options.get("size", "0")) if bootable else 0
        return memory, int(config.get("cores", 1)) * int(config.get("sockets", 1)), size or 0

    def _vm_usage(self, vm):
        running = vm.status == "running"
        memory, cpus, disk = vm.config.once("configured", self._configured)
        used = min(memory, 96 * 1024**2) if running else 0
        return {"cpu": 0.01 if running else 0, "mem": used, "memhost": used, "disk": 0, "diskread": 0, "diskwrite": 0,
                "netin": 0, "netout": 0, "maxdisk": disk, "maxmem": memory, "maxcpu": cpus,
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
        item = {**self._summary(vm), "qmpstatus": vm.qmpstatus, "ha": self.ha_status(vm.vmid)}
        item.pop("diskread"), item.pop("diskwrite")
        if self.agent_configured(vm):
            item["agent"] = 1
        return item

    @staticmethod
    def agent_configured(vm) -> bool:
        first = str(vm.config.get("agent", "0")).split(",")[0]
        return first in ("1", "enabled=1")

    # --------------------------------------------------------------- create

    def clean_option(self, key: str, value):
        """A value as PVE stores it."""
        if one_of(key, "net"):
            return with_mac(value)
        if key == "tags":
            tags = [t.lower() for t in re.split(r"[;, ]+", str(value)) if t]
            return ";".join(sorted(set(tags))) or " "
        if key == "description" and value == "":
            return None
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
        if values.get("ha-managed"):
            self.require(user, "/", "Sys.Console")
        if values.get("archive"):
            raise die(f"unable to restore VM {vmid} - the lab restores no archives")
        asked = [drives.parse(k, options[k]) for k in sorted(options) if drives.KEY.match(k)]
        for drive in asked:
            self.check_drive(user, node, vmid, drive)
        self.check_options(user, vmid, pool, options)
        self.check_networks(user, options)
        self.need_quorum()
        prefix = f"unable to create VM {vmid} -"
        try:
            async with self.target_lock(vmid, "create", CREATE_LOCK_WAIT):
                taken = self.vm(vmid)
                if taken is not None:
                    raise die(f"{prefix} VM {vmid} already exists on node '{taken.node}'")
        except TaskError as error:
            raise die(f"{prefix} {error}") from None
        vm = self.new_vm(vmid, node)
        vm.config["lock"] = "create"

        async def body(task: Task) -> None:
            made: list[str] = []
            config = {k: self.clean_option(k, v) for k, v in options.items() if not drives.KEY.match(k)}
            config = {k: v for k, v in config.items() if v is not None}
            try:
                await self.pause(CREATE_SECONDS)
                stores = {s for s in (split_volid(d.volume)[0] for d in asked) if s in self.storages}
                async with self.storage_lock(stores, node):
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
                self.forget_rights()
            if values.get("ha-managed"):
                state = "started" if values.get("start") else "stopped"
                task.log(f"Add HA resource with request-state '{state}'")
                self.ha_resources[f"vm:{vmid}"] = {"state": state}
                self.ha_kick(f"vm:{vmid}")
            elif values.get("start"):
                # A task of its own: whether it fails, this one does not say.
                task.log("Execute autostart")
                await self.power_start({"node": node, "vmid": vmid}, user)
        return await self.start_task(node, "qmcreate", vmid, user, body, undo=lambda: self._forget(vm, []))

    def _forget(self, vm, made: list[str]) -> None:
        """Undo a VM that did not come to be."""
        for volid in made:
            self.free(volid, vm.node)
        if self.vm(vm.vmid) is vm:
            self.vms.remove(vm)

    # -------------------------------------------------------------- destroy

    async def guest_destroy(self, values: dict, user: str) -> str:
        node, vmid = values["node"], int(values["vmid"])
        if values.get("skiplock") and user != "root@pam":
            raise param_error(skiplock="Only root may use this option.")
        vm = self.find(node, vmid)
        if vm.config.get("protection") in (1, "1"):
            raise die(f"can't remove VM {vmid} - protection mode enabled")
        sid = f"vm:{vmid}"
        if sid in self.ha_resources and not values.get("purge"):
            raise die(f"unable to remove VM {vmid} - used in HA resources and purge parameter not set.")
        self.need_quorum()
        if vm.status == "running":
            raise die(f"VM {vmid} is running - destroy failed")

        async def body(task: Task) -> None:
            async with self.config_lock(vm, task.upid, task.log):
                if self.vm(vmid) is not vm or vm.node != node:
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
                if vm.pool:
                    self._pool_leave(vmid)
                self._fw()["guests"].pop(vmid, None)
                self.entries = [e for e in self.entries if e.path != f"/vms/{vmid}"]
                self.forget_rights()
                if values.get("purge"):
                    task.log(f"purging VM {vmid} from related configurations..")
                    if sid in self.ha_resources:
                        self.ha_forget(sid)
                        task.log(f"NOTE: removed VM {vmid} from HA resource configuration.")
        return await self.start_task(node, "qmdestroy", vmid, user, body)

    def _free_own(self, volid: str, vm) -> None:
        """A VM that is destroyed takes only volumes along that carry its number."""
        volume = self.volume(volid, vm.node)
        if volume is not None and volume.vmid == vm.vmid:
            self.free(volid, vm.node)
