"""Power: what start checks, and what a guest without an operating system does."""

from __future__ import annotations

import asyncio
import re

from fakepve.model import PveError, TaskError
from fakepve.routing import die, param_error

from . import drives
from .api import read_params
from .drives import one_of
from .tasks import Task

START_SECONDS = 1.2
STOP_SECONDS = 0.8
SHUTDOWN_SECONDS = 4
# After a stop the clean-up of the VM holds its lock for a moment.
CLEANUP_SECONDS = 0.5
# How long a guest may take to power off unless the request says otherwise.
SHUTDOWN_PATIENCE = 60


class PowerApi:
    """Mixin: …/status/{action}."""

    async def _status_action(self, request):
        """fakepve has one route for all of them: the lab's own actions go first."""
        action = request.match_info["action"]
        handler = {"start": self.power_start, "stop": self.power_stop, "shutdown": self.power_shutdown,
                   "reboot": self.power_reboot, "reset": self.power_reset}.get(action)
        if action == "suspend" and not (await read_params(request)).get("todisk"):
            handler = self.power_pause
        if handler is None:
            return await super()._status_action(request)
        template = "/nodes/{node}/qemu/{vmid}/status/" + action
        return await self._stateful_handler(template, handler)(request)

    def has_system(self, vm) -> bool:
        """True if something boots: a VM without a disk never answers ACPI."""
        return vm.acpi and any(not d.is_cdrom and not one_of(d.key, "efidisk", "tpmstate")
                               for d in drives.of_config(vm.config))

    def _start_checks(self, vm, task: Task) -> None:
        if vm.start_error:
            raise TaskError(vm.start_error)
        for key in sorted(vm.config):
            bridge = re.search(r"(?:^|,)bridge=([^,]+)", str(vm.config[key])) if one_of(key, "net") else None
            if bridge and bridge.group(1) not in self.bridges:
                raise TaskError(f"bridge '{bridge.group(1)}' does not exist")
            mapping = re.search(r"(?:^|,)mapping=([^,]+)", str(vm.config[key])) if one_of(key, "hostpci") else None
            if mapping:
                self._check_mapping(vm, mapping.group(1))
            usb = re.search(r"(?:^|,)mapping=([^,]+)", str(vm.config[key])) if one_of(key, "usb") else None
            if usb and not any(f"node={vm.node}," in entry + "," for entry in self.usb_mappings.get(usb.group(1), [])):
                # PVE::QemuServer::USB; that another VM has the device is no error.
                raise TaskError(f"USB device mapping not found for '{usb.group(1)}'")
        for drive in drives.of_config(vm.config):
            if drive.storage and drive.storage in self.storages and not drive.is_cdrom \
                    and self.volume(drive.volume, vm.node) is None:
                raise TaskError(f"volume '{drive.volume}' does not exist")
        self.check_snippets(vm)
        if self.cloudinit_drive(vm.config):
            task.log("generating cloud-init ISO")
        for drive in drives.of_config(vm.config):
            if drive.volume == "cdrom":
                task.log("WARN: no physical CD-ROM available, ignoring")
                task.log(f"kvm: -blockdev {{…\"node-name\":\"drive-{drive.key}\"…}}: The 'host_cdrom' block driver "
                         "requires a file name")
                raise TaskError("start failed: QEMU exited with code 1")

    def _check_mapping(self, vm, name: str) -> None:
        entries = self.mappings.get(name)
        if entries is None:
            raise TaskError(f"PCI device mapping not found for '{name}'")
        if not any(f"node={vm.node}," in entry + "," for entry in entries):
            raise TaskError(f"PCI device mapping invalid (hardware probably changed): no mapping for node {vm.node}")
        for other in self.vms:
            if other is not vm and other.node == vm.node and other.status == "running" and any(
                    one_of(k, "hostpci") and f"mapping={name}" in str(v) for k, v in other.config.items()):
                raise TaskError(f"PCI device mapping '{name}' is already in use by VMID '{other.vmid}'")

    async def power_on(self, vm, task: Task) -> None:
        vm.config, vm.pending = self.merged(vm), {}
        self._start_checks(vm, task)
        self.generate_cloudinit(vm)
        await self.pause(START_SECONDS + vm.start_secs)
        vm.status = vm.qmpstatus = "running"
        self.guest_boots(vm)

    def _missing(self, node: str, vmid: int):
        vm = self.vm(vmid)
        if vm is None or vm.node != node:
            raise TaskError(f"Configuration file 'nodes/{node}/qemu-server/{vmid}.conf' does not exist")
        return vm

    async def power_start(self, values: dict, user: str, *, by_ha: bool = False) -> str:
        node, vmid = values["node"], int(values["vmid"])
        self.need_quorum()
        if self.ha_managed(vmid) and not by_ha:
            return await self.ha_start_task(node, vmid, user)

        async def body(task: Task) -> None:
            vm = self._missing(node, vmid)
            async with self.config_lock(vm, task.upid, task.log):
                if vm.config.get("template"):
                    raise TaskError("you can't start a vm if it's a template")
                if vm.config.get("lock"):
                    raise TaskError(f"VM is locked ({vm.config['lock']})")
                if vm.status == "running":
                    raise TaskError(f"VM {vmid} already running")
                await self.power_on(vm, task)
        return await self.start_task(node, "qmstart", vmid, user, body)

    def power_off(self, vm) -> None:
        vm.status = vm.qmpstatus = "stopped"
        vm.started_at = None
        vm.config, vm.pending = self.merged(vm), {}

    async def _clean_up(self, vm) -> None:
        """qmeventd holds the lock of a VM that has just stopped."""
        try:
            await self.acquire(vm, "cleanup", wait=0)
        except TaskError:
            return
        try:
            await self.pause(CLEANUP_SECONDS)
        finally:
            self.release(vm, "cleanup")

    async def power_stop(self, values: dict, user: str, *, by_ha: bool = False) -> str:
        node, vmid = values["node"], int(values["vmid"])
        self.need_quorum()
        if self.ha_managed(vmid) and not by_ha:
            if values.get("overrule-shutdown"):
                raise param_error(**{"overrule-shutdown": "Not applicable for HA resources."})
            return await self.ha_stop_task(node, vmid, user, 0)

        async def body(task: Task) -> None:
            vm = self._missing(node, vmid)
            async with self.config_lock(vm, task.upid, task.log):
                if vm.config.get("lock") and not values.get("skiplock"):
                    raise TaskError(f"VM is locked ({vm.config['lock']})")
                if vm.status != "running":
                    return
                await self.pause(STOP_SECONDS + vm.stop_secs)
                self.power_off(vm)
            if self.time_scale:
                asyncio.ensure_future(self._clean_up(vm))
        return await self.start_task(node, "qmstop", vmid, user, body)

    async def _ask_topower_off(self, vm, values: dict, task: Task) -> None:
        timeout = int(values.get("timeout") or SHUTDOWN_PATIENCE)
        takes = vm.shutdown_secs or SHUTDOWN_SECONDS
        if self.has_system(vm) and takes <= timeout:
            await self.pause(takes)
        else:
            await self.pause(timeout)
            if not values.get("forceStop"):
                raise TaskError("VM quit/powerdown failed - got timeout")
            task.log("VM still running - terminating now with SIGTERM")
        self.power_off(vm)

    async def power_shutdown(self, values: dict, user: str, *, by_ha: bool = False) -> str:
        node, vmid = values["node"], int(values["vmid"])
        self.need_quorum()
        paused = getattr(self.vm(vmid), "qmpstatus", None) == "paused"
        if paused and not values.get("forceStop"):
            raise die("VM is paused - cannot shutdown")
        if self.ha_managed(vmid) and not by_ha:
            timeout = values.get("timeout")
            return await self.ha_stop_task(node, vmid, user, SHUTDOWN_PATIENCE if timeout is None else int(timeout))

        async def body(task: Task) -> None:
            vm = self._missing(node, vmid)
            async with self.config_lock(vm, task.upid, task.log):
                if vm.config.get("lock"):
                    raise TaskError(f"VM is locked ({vm.config['lock']})")
                if vm.status == "running":
                    await self._ask_topower_off(vm, values, task)
        return await self.start_task(node, "qmshutdown", vmid, user, body)

    async def power_reboot(self, values: dict, user: str) -> str:
        node, vmid = values["node"], int(values["vmid"])
        vm = self.find(node, vmid)
        if vm.status != "running":
            raise die(f"VM {vmid} not running")
        if vm.qmpstatus == "paused":
            raise die("VM is paused - cannot shutdown")
        self.need_quorum()

        async def body(task: Task) -> None:
            async with self.config_lock(vm, task.upid, task.log):
                if vm.config.get("lock"):
                    raise TaskError(f"VM is locked ({vm.config['lock']})")
                await self._ask_topower_off(vm, values, task)
            again = asyncio.ensure_future(self._start_again(vm, task))
            if not self.time_scale:
                await again
        return await self.start_task(node, "qmreboot", vmid, user, body)

    async def _start_again(self, vm, task: Task) -> None:
        """The task of a reboot ends with the guest's power off; it is qmeventd that then starts it, and tells nobody."""
        try:
            async with self.config_lock(vm, "cleanup"):
                await self.pause(CLEANUP_SECONDS)
                if self.vm(vm.vmid) is vm and vm.status == "stopped" and not vm.config.get("lock"):
                    await self.power_on(vm, Task({"upid": task.upid, "log": []}))
        except (TaskError, PveError):
            pass
        self.changed()

    async def power_pause(self, values: dict, user: str) -> str:
        vm = self.find(values["node"], values["vmid"])
        if vm.status != "running":
            raise die(f"VM {vm.vmid} not running")

        async def body(task: Task) -> None:
            vm.qmpstatus = "paused"
        return await self.start_task(vm.node, "qmpause", vm.vmid, user, body)

    async def power_reset(self, values: dict, user: str) -> str:
        vm = self.find(values["node"], values["vmid"])
        if vm.status != "running":
            raise die(f"VM {vm.vmid} not running")

        async def body(task: Task) -> None:
            self.guest_boots(vm)
        return await self.start_task(vm.node, "qmreset", vm.vmid, user, body)
