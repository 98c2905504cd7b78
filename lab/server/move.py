"""POST …/move_disk: a drive's volume is copied whole to another datastore, and the VM uses the copy from then on.

With another VM instead of a datastore it is `reassign.py`.
"""

from __future__ import annotations

import asyncio

from fakepve.model import PveError, TaskError
from fakepve.routing import die, param_error, split_list

from . import drives
from .disks import CLOUDINIT_SIZE, DISK_SECONDS
from .drives import Drive, split_volid
from .tasks import Task


class MoveApi:
    """Mixin: moving disks, of running and stopped VMs and of templates."""

    def _routes_lab_move(self):
        return [("POST", "/nodes/{node}/qemu/{vmid}/move_disk", self.disk_move)]

    def _move_checks(self, vm, values: dict) -> Drive:
        """What is refused before the worker starts, and again when it has its lock."""
        key, storage, fmt = values["disk"], values["storage"], values.get("format")
        if vm.config.get("lock"):
            raise die(f"VM is locked ({vm.config['lock']})")
        if values.get("digest") and values["digest"] != vm.digest():
            raise die("detected modified configuration - file changed by other user? Try again.")
        if key not in vm.config:
            raise die(f"disk '{key}' does not exist")
        drive = drives.parse(key, vm.config[key])
        if drive.is_cdrom and not drive.is_cloudinit:
            raise die("you can't move a cdrom")
        if drive.storage is None:
            raise die(f"unable to parse volume ID '{drive.volume}'")
        volume = self.volume(drive.volume, vm.node)
        old = volume.format if volume else None
        if drive.storage == storage and (not fmt or not old or fmt == old):
            raise die("you can't move to the same storage with same format")
        store = self._check_enabled(storage, vm.node)
        if "images" not in split_list(store.get("content")):
            raise param_error(storage=f"storage '{storage}' does not support vm images")
        kept = any(drive.volume == str(snapshot.get(key, "")).split(",")[0] for snapshot in vm.snapshots.values())
        if kept and values.get("delete"):
            raise die("you can't move a disk with snapshots and delete the source")
        return drive

    async def disk_move(self, values: dict, user: str) -> str:
        node, vmid, storage = values["node"], int(values["vmid"]), values.get("storage")
        if bool(storage) == bool(values.get("target-vmid")):
            why = "either set 'storage' or 'target-vmid', but not both" if storage else \
                "both 'storage' and 'target-vmid' missing, either needs to be set"
            raise param_error(**{"target-vmid": why, "storage": why})
        if not storage:
            return await self.disk_reassign(values, user)
        self.require(user, "/storage/" + storage, "Datastore.AllocateSpace")
        vm = self.find(node, vmid)
        self._move_checks(vm, values)
        self.need_quorum()

        async def body(task: Task) -> None:
            async with self.config_lock(vm, task.upid, task.log):
                drive = self._move_checks(vm, values)
                task.log(f"copying volume '{drive.volume}' from current storage '{drive.storage}' to target storage '{storage}'")
                made: list[str] = []
                try:
                    await self._move(vm, drive, values, task, made)
                except (PveError, TaskError, asyncio.CancelledError) as error:
                    interrupted = isinstance(error, asyncio.CancelledError)
                    if interrupted and not task.aborted:
                        # Killed: the new volume stays, and the VM uses the old one.
                        raise
                    for volid in made:
                        self.free(volid, node)
                    why = "interrupted by signal" if interrupted else getattr(error, "message", None) or error
                    raise TaskError(f"storage migration failed: {why}") from None
        return await self.start_task(node, "qmmove", vmid, user, body)

    async def _move(self, vm, drive: Drive, values: dict, task: Task, made: list[str]) -> None:
        key, storage, old = drive.key, values["storage"], drive.volume
        attached = not drives.UNUSED.match(key)
        running = vm.status == "running" and attached
        if running and key.startswith("tpmstate"):
            raise TaskError("cannot move TPM state while VM is running")
        volume = self.volume(old, vm.node)
        if volume is None:
            raise die(f"volume '{old}' does not exist")
        task.log(f"create full clone of drive {key} ({old})")
        fmt = (values.get("format") or volume.format) if self.is_dir(storage) else "raw"
        async with self.storage_lock({storage}, vm.node):
            await self.pause(DISK_SECONDS)
            volid = self.allocate(storage, vm.node, vm.vmid, CLOUDINIT_SIZE if drive.is_cloudinit else volume.size, fmt,
                                  name=f"vm-{vm.vmid}-cloudinit" if drive.is_cloudinit else None)
        made.append(volid)
        self.log_formatting(task, volid, vm.node)
        task.log(f"allocated target volume '{volid}'")
        if not drive.is_cloudinit:
            if running:
                task.log(f"drive mirror is starting for drive-{key}")
            await self._copy_content(values, vm, drive, volid, task)
            if running:
                for line in ("all 'mirror' jobs are ready", f"drive-{key}: Completing block job...",
                             f"drive-{key}: Completed successfully.", f"drive-{key}: mirror-job finished"):
                    task.log(line)
        new = self.volume(volid, vm.node)
        drive.volume = volid
        if attached:
            drive.options["size"] = drives.format_size(new.size)
        if not values.get("delete"):
            number = next(n for n in range(256) if f"unused{n}" not in vm.config)
            vm.config[f"unused{number}"] = old
            task.log(f"adding source volume '{old}' as 'unused{number}' to config")
        if vm.config.get("template") and not drive.is_cdrom:
            drive.volume = self.make_base(volid, vm.node)
        vm.config[key] = str(drive)
        if values.get("delete"):
            task.log(f"removing source volume '{old}' after successful copy")
            if self.base_in_use(old, vm.node):
                # It belongs to nobody's config from here on, and stays.
                task.log(f"base volume '{split_volid(old)[1]}' is still in use by linked cloned")
            else:
                self.free(old, vm.node)
