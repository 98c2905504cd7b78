"""POST …/move_disk with `target-vmid`: a volume gets another VM as its owner (the web interface's "Reassign Disk")."""

from __future__ import annotations

from fakepve.model import TaskError
from fakepve.routing import die, param_error

from . import drives
from .drives import Drive, split_volid
from .tasks import Task

# Storage plugins of which no volume can be renamed.
NO_RENAME = {"iscsi", "iscsidirect", "esxi"}
RENAME_SECONDS = 0.3


class ReassignApi:
    """Mixin: what `disk_move` does when it is given a VM."""

    def _reassign_checks(self, values: dict) -> tuple:
        """PVE's load_and_check_reassign_configs, before the worker starts and again when it has both locks."""
        vmid, target_id, key = int(values["vmid"]), int(values["target-vmid"]), values["disk"]
        target_key = values.get("target-disk") or key
        source, target = self.vm(vmid), self.vm(target_id)
        if source is None:
            raise die(f"could not find VM {vmid}")
        if target is None:
            raise die(f"could not find target VM {target_id}")
        if source.node != target.node:
            raise die(f"Both VMs need to be on the same node ({source.node} != {target.node})")
        for vm in (source, target):
            if vm.config.get("lock"):
                raise die(f"VM is locked ({vm.config['lock']})")
        if source.config.get("template") or target.config.get("template"):
            raise die("Can't move disks from or to template VMs")
        for vm, option in ((source, "digest"), (target, "target-digest")):
            if values.get(option) and values[option] != vm.digest():
                raise die(f"VM {vm.vmid}: detected modified configuration - file changed by other user? Try again.")
        if key not in source.config:
            raise die(f"Disk '{key}' for VM '{vmid}' does not exist")
        if target_key in target.config:
            raise die(f"Target disk key '{target_key}' is already in use for VM '{target_id}'")
        drive = drives.parse(key, source.config[key])
        if not drive.volume:
            raise die(f"disk '{key}' has no associated volume")
        if drive.is_cdrom:
            raise die("CD drive contents can't be moved to another VM")
        if drive.storage is None:
            raise die(f"Volume '{drive.volume}' not managed by PVE")
        if any(drive.volume == str(snapshot.get(key, "")).split(",")[0] for snapshot in source.snapshots.values()):
            raise die("Can't move disk used by a snapshot to another VM")
        if self._store(drive.storage).get("type") in NO_RENAME or split_volid(drive.volume)[1].startswith("base-"):
            raise die("Storage does not support moving of this disk to another VM")
        if source.status == "running" and not drives.UNUSED.match(key):
            raise die("Cannot move disk to another VM while the source VM is running - detach first")
        return source, target, drive

    async def disk_reassign(self, values: dict, user: str) -> str:
        node, vmid, target_id, key = values["node"], int(values["vmid"]), int(values["target-vmid"]), values["disk"]
        target_key = values.get("target-disk") or key
        if user != "root@pam":
            self.require(user, f"/vms/{target_id}", "VM.Config.Disk")
        if vmid == target_id:
            raise param_error(**{"target-vmid": "must be different than source VMID to reassign disk"})
        source, target, drive = self._reassign_checks(values)
        self.require(user, "/storage/" + str(drive.storage), "Datastore.AllocateSpace")
        self.need_quorum()

        async def body(task: Task) -> None:
            await task.hold()
            if task.fault is not None:
                raise task.failure()
            async with self.config_lock(source, task.upid, task.log), self.config_lock(target, task.upid, task.log):
                drive = self._reassign_checks(values)[2]
                task.log(f"reassign disk '{key}' from VM '{vmid}' as '{target_key}' to VM '{target_id}'")
                async with self.storage_lock({str(drive.storage)}, source.node):
                    await self.pause(RENAME_SECONDS)
                    volid = self._rename(drive, source.node, target_id)
                self._leave(source, key, task)
                # The second place to stand still: nobody's config has the volume.
                await task.hold()
                value = self.existing_drive(source.node, Drive(target_key, volid, drive.options))
                self._set(target, target_key, volid if drives.UNUSED.match(target_key) else value)
        return await self.start_task(node, "qmmove", f"{vmid}-{key}>{target_id}-{target_key}", user, body,
                                     own_faults=True)

    def _rename(self, drive: Drive, node: str, target_id: int) -> str:
        """PVE::Storage::rename_volume: the volume stays what it is, under the next free name of its new owner."""
        storage, name = split_volid(drive.volume)
        volumes = self.volumes_of(storage, node)
        volume = volumes.get(name)
        if volume is None:
            raise TaskError(f"rename '{self.volume_path(drive.volume)}' failed - No such file or directory"
                            if self.is_dir(storage) else f"lvrename '{name}' error: Failed to find logical volume")
        new = f"vm-{target_id}-disk-{self.free_name(storage, node, target_id)}"
        if self.is_dir(storage):
            new = f"{target_id}/{new}.{volume.format}"
            if volume.parent:
                new = f"{volume.parent}/{new}"
        volumes.pop(name)
        volume.vmid = target_id
        volumes[new] = volume
        return f"{storage}:{new}"

    def _leave(self, source, key: str, task: Task) -> None:
        """The drive leaves the config of the VM that had it."""
        order = self._boot_devices(source)
        if key in order:
            task.log(f"removing disk '{key}' from boot order config")
            order.remove(key)
            source.config["boot"] = "order=" + ";".join(order) if order else " "
        source.config.pop(key)
        source.pending.pop(key, None)
        task.log(f"removing disk '{key}' from VM '{source.vmid}' config")
