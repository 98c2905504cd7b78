"""Migration: what stands in its way, in PVE's words, and what moves: the config, and volumes on local datastores."""

from __future__ import annotations

import asyncio
import re
import time

from fakepve.model import PveError, TaskError
from fakepve.routing import die, param_error

from . import drives
from .drives import Drive, one_of, split_volid
from .tasks import Task

# PVE seconds and speeds: estimates for a small cluster with a gigabit network.
BARE_SECONDS = 2.0
BYTES_PER_SECOND = 110 * 1024**2
MEMORY_BYTES_PER_SECOND = 1024**3


class MigrateApi:
    """Mixin: …/migrate."""

    def _routes_lab_migrate(self):
        path = "/nodes/{node}/qemu/{vmid}/migrate"
        return [("GET", path, self.migrate_preconditions), ("POST", path, self.guest_migrate)]

    def _local_drives(self, vm) -> list[Drive]:
        """Drives with a volume on a datastore that only the VM's node sees; detached ones too."""
        found = drives.of_config(vm.config)
        found += [Drive(key, str(vm.config[key]).split(",")[0]) for key in sorted(vm.config) if drives.UNUSED.match(key)]
        return [d for d in found if d.storage in self.storages and not self.is_shared(d.storage)]

    async def migrate_preconditions(self, values: dict, user: str) -> dict:
        vm = self.find(values["node"], values["vmid"])
        disks = []
        for drive in self._local_drives(vm):
            volume = self.volume(drive.volume, vm.node)
            disks.append({"volid": drive.volume, "size": volume.size if volume else 0,
                          "cdrom": 1 if drive.is_cdrom else 0, "is_unused": 1 if drives.UNUSED.match(drive.key) else 0})
        mapped = [key for key in sorted(vm.config) if one_of(key, "hostpci") and "mapping=" in str(vm.config[key])]
        others = [node for node in sorted(self.nodes) if node != vm.node]
        return {"running": 1 if vm.status == "running" else 0, "local_disks": disks,
                "local_resources": [key for key in sorted(vm.config) if one_of(key, "hostpci")],
                "mapped-resources": mapped, "mapped-resource-info": {}, "has-dbus-vmstate": 1,
                "allowed_nodes": others, "not_allowed_nodes": {}}

    async def guest_migrate(self, values: dict, user: str, *, by_ha: bool = False) -> str:
        node, vmid, target = values["node"], int(values["vmid"]), values["target"]
        if target == node:
            raise param_error(target="target is local node.")
        self.need_quorum()
        if target not in self.nodes:
            raise die(f"no such cluster node '{target}'")
        vm = self.find(node, vmid)
        if vm.config.get("lock"):
            raise die(f"VM is locked ({vm.config['lock']})")
        if vm.status == "running" and not values.get("online"):
            raise die("can't migrate running VM without --online")
        wanted = values.get("targetstorage")
        if wanted not in (None, "1"):
            self.require(user, "/storage/" + wanted, "Datastore.AllocateSpace")
            self.storage_for_images(wanted, target)
        for drive in drives.of_config(vm.config):
            if drive.storage in self.storages and wanted in (None, "1"):
                self._check_enabled(drive.storage, target)
        if self.ha_managed(vmid) and not by_ha:
            return await self.ha_migrate_task(node, vmid, user, target)

        async def body(task: Task) -> None:
            started = time.monotonic()
            try:
                async with self.config_lock(vm, task.upid, task.log):
                    await self._migrate(vm, target, values, task)
            except (TaskError, asyncio.CancelledError) as error:
                if isinstance(error, asyncio.CancelledError) and not task.aborted:
                    raise
                why = "interrupted by signal" if isinstance(error, asyncio.CancelledError) else str(error)
                self._says(task, f"ERROR: migration aborted (duration {self._duration(started)}): {why}")
                raise TaskError("migration aborted") from None
            self._says(task, f"migration finished successfully (duration {self._duration(started)})")
        return await self.start_task(node, "qmigrate", vmid, user, body)

    @staticmethod
    def _says(task: Task, line: str) -> None:
        task.log(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {line}")

    def _duration(self, started: float) -> str:
        seconds = int((time.monotonic() - started) / self.time_scale) if self.time_scale else 0
        return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"

    async def _migrate(self, vm, target: str, values: dict, task: Task) -> None:
        source = vm.node
        self._check_devices(vm, target)
        if not self.nodes[target].get("online", True):
            raise TaskError("Can't connect to destination address using public key")
        number = sorted(self.nodes).index(target)
        self._says(task, f"starting migration of VM {vm.vmid} to node '{target}' (10.0.0.{11 + number})")
        vm.config["lock"] = "migrate"
        copied: dict[str, str] = {}
        try:
            local = self._scan_volumes(vm, bool(values.get("with-local-disks")), task)
            if local:
                self._says(task, "copying local disk images")
            for drive in local:
                copied[drive.volume] = await self._copy_to(vm, drive, target, values.get("targetstorage"), task)
            running = vm.status == "running"
            memory = self._vm_usage(vm)["maxmem"] if running else 0
            await self.pause(BARE_SECONDS + memory / MEMORY_BYTES_PER_SECOND)
        except (TaskError, asyncio.CancelledError) as error:
            if isinstance(error, TaskError) or task.aborted:
                self._says(task, "aborting phase 1 - cleanup resources")
                vm.config.pop("lock", None)
                for volid in copied.values():
                    self.free(volid, target)
            raise
        for old, new in copied.items():
            self.free(old, source)
            for key, value in vm.config.items():
                if (drives.KEY.match(key) or drives.UNUSED.match(key)) and str(value).split(",")[0] == old:
                    vm.config[key] = new + str(value)[len(old):]
        vm.config.pop("lock", None)
        vm.node = target

    def _check_devices(self, vm, target: str) -> None:
        devices = {key: str(vm.config[key]) for key in sorted(vm.config) if one_of(key, "hostpci", "usb")}
        names = {key: found.group(1) for key, text in devices.items()
                 if (found := re.search(r"(?:^|,)mapping=([^,]+)", text))}
        local = [key for key, text in devices.items() if key not in names and not text.startswith("spice")]
        if local:
            raise TaskError(f"can't migrate VM which uses local devices: {', '.join(local)}")
        missing = [key for key, name in names.items()
                   if not any(f"node={target}," in entry + "," for entry in self.mappings.get(name, ()))]
        if missing:
            raise TaskError(f"can't migrate to '{target}': missing mapped devices {', '.join(missing)}")
        if names and vm.status == "running":
            shown = ", ".join(f"{key}:{name}" for key, name in names.items())
            raise TaskError(f"can't live migrate running VM which uses following mapped devices: {shown}")

    def _scan_volumes(self, vm, with_local_disks: bool, task: Task) -> list[Drive]:
        """The drives whose volumes must be copied; what forbids it is in the log, each volume with its reason."""
        problems: list[str] = []
        found: list[Drive] = []
        if any(drive.volume == "cdrom" for drive in drives.of_config(vm.config)):
            problems.append("can't migrate local cdrom drive")
        for drive in self._local_drives(vm):
            why = self._immovable(vm, drive, with_local_disks)
            generated = drive.is_cloudinit or drive.key.startswith("tpmstate")
            how = "in current VM config" if generated else "unused" if drives.UNUSED.match(drive.key) else "attached"
            self._says(task, f"found {'generated' if generated else 'local'} disk '{drive.volume}' ({how})")
            if why:
                problems.append(f"can't migrate local disk '{drive.volume}': {why}")
            found.append(drive)
        for problem in problems:
            self._says(task, problem)
        scan = "Problem found while scanning volumes - "
        if problems:
            raise TaskError(scan + "can't migrate VM - check log")
        for drive in found:
            volume = self.volume(drive.volume, vm.node)
            if volume and volume.parent:
                base = volume.parent.rsplit("/", 1)[-1]
                raise TaskError(f"{scan}can't migrate '{drive.volume}' as it's a clone of '{base}' "
                                "at /usr/share/perl5/PVE/QemuMigrate.pm line 644.")
        return found

    def _immovable(self, vm, drive: Drive, with_local_disks: bool) -> str | None:
        if drive.is_cloudinit:
            return None
        if drive.is_cdrom:
            return "local cdrom image"
        volume = self.volume(drive.volume, vm.node)
        if volume is None:
            return f"volume '{drive.volume}' does not exist"
        if volume.vmid != vm.vmid:
            return f"owned by other VM (owner = VM {volume.vmid})"
        if self.base_in_use(drive.volume, vm.node):
            return "referenced by linked clone(s)"
        why = self.snapshot_stays(vm, drive)
        if why:
            return why
        if vm.status == "running" and not with_local_disks and not drive.key.startswith("tpmstate"):
            return "can't live migrate attached local disks without with-local-disks option"
        return None

    async def _copy_to(self, vm, drive: Drive, target: str, wanted: str | None, task: Task) -> str:
        storage = drive.storage if wanted in (None, "1") else wanted
        volume = self.volume(drive.volume, vm.node)
        name = split_volid(drive.volume)[1].rsplit("/", 1)[-1].split(".")[0]
        there = {taken.rsplit("/", 1)[-1].split(".")[0] for taken in self.volumes_of(storage, target)}
        if name in there:
            # A volume of that name is left over there: PVE takes the next free number.
            name = None
        fmt = volume.format if self.is_dir(storage) else "raw"
        try:
            volid = self.allocate(storage, target, vm.vmid, volume.size, fmt, data=volume.used, name=name)
        except PveError as error:
            raise TaskError(f"storage migration for '{drive.volume}' to storage '{storage}' failed - "
                            f"{error.message}") from error
        try:
            await self.pause(volume.used / BYTES_PER_SECOND)
        except asyncio.CancelledError:
            if task.aborted:
                self.free(volid, target)
            raise
        self._says(task, f"volume '{drive.volume}' is '{volid}' on the target")
        return volid
