"""Snapshots, where fakepve's differ from PVE's: what can have one, how one is taken, and that what has one stays where it is."""

from __future__ import annotations

import asyncio
import time

from fakepve.model import TaskError
from fakepve.routing import die

from . import drives
from .drives import Drive
from .tasks import Task

# PVE seconds: an estimate for a thin pool; memory is not saved.
SNAPSHOT_SECONDS = 0.5
# Options of the VM that are none of a snapshot's.
NOT_TAKEN = {"lock", "description", "digest"}
# Datastores whose snapshots go along with a migration; of a directory those of qcow2 files do.
MIGRATABLE = ("zfspool",)


class SnapshotApi:
    """Mixin: …/snapshot, …/feature, and what stands in the way of a migration."""

    def _routes_lab_snapshots(self):
        one = "/nodes/{node}/qemu/{vmid}"
        return [("GET", one + "/feature", self.guest_feature), ("POST", one + "/snapshot", self.guest_snapshot)]

    async def guest_feature(self, values: dict, user: str) -> dict:
        vm = self.find(values["node"], values["vmid"])
        can = self._qm_can_snapshot(vm.config) if values["feature"] == "snapshot" else True
        return {"hasFeature": 1 if can else 0, "nodes": [vm.node]}

    async def guest_snapshot(self, values: dict, user: str) -> str:
        node, vmid, name = values["node"], int(values["vmid"]), values["snapname"]
        if name == "current" or name.lower() == "pending":
            raise die(f"unable to use snapshot name '{name.lower()}' (reserved name)")
        vm = self.find(node, vmid)

        async def body(task: Task) -> None:
            if vm.config.get("template"):
                raise TaskError("you can't take a snapshot if it's a template")
            if vm.config.get("lock"):
                raise TaskError(f"VM is locked ({vm.config['lock']})")
            if name in vm.snapshots:
                raise TaskError(f"snapshot name '{name}' already used")
            if not self._qm_can_snapshot(vm.config):
                raise TaskError("snapshot feature is not available")
            taken = {k: v for k, v in vm.config.items() if k not in NOT_TAKEN and not drives.UNUSED.match(k)}
            vm.config["lock"] = "snapshot"
            # A worker that is killed leaves both.
            vm.snapshots[name] = {**taken, "snapstate": "prepare", "snaptime": int(time.time()),
                                  **({"description": values["description"]} if values.get("description") else {})}
            try:
                await self.pause(SNAPSHOT_SECONDS)
            except asyncio.CancelledError:
                if task.aborted:
                    del vm.snapshots[name]
                    vm.config.pop("lock", None)
                raise
            for drive in sorted(drives.of_config(vm.config), key=drives.bus_rank):
                if not drive.is_cdrom:
                    task.log(f"snapshotting 'drive-{drive.key}' ({drive.volume})")
            del vm.snapshots[name]["snapstate"]
            vm.config["parent"] = name
            vm.config.pop("lock", None)
        return await self.start_task(node, "qmsnapshot", vmid, user, body)

    def snapshot_stays(self, vm, drive: Drive) -> str | None:
        """As QemuMigrate.pm's scan_local_volumes says it."""
        if not any(str(one.get(drive.key, "")).split(",")[0] == drive.volume for one in vm.snapshots.values()):
            return None
        if vm.status == "running":
            return "online storage migration not possible if non-replicated snapshot exists"
        moves = self.storages[drive.storage].get("type") in MIGRATABLE or drive.volume.endswith(".qcow2")
        return None if moves else "non-migratable snapshot exists"
