"""Power: what start checks, what a guest without an operating system does, and the guest agent."""

from __future__ import annotations

import asyncio
import re
import time

from fakepve.model import PveError, TaskError
from fakepve.routing import die

from . import drives
from .drives import one_of
from .tasks import Task

START_SECONDS = 1.2
STOP_SECONDS = 0.8
SHUTDOWN_SECONDS = 4
# After a stop the clean-up of the VM holds its lock for a moment.
CLEANUP_SECONDS = 0.5
BOOT_SECONDS = 8
AGENT_PATIENCE = 3.0


class PowerApi:
    """Mixin: …/status/{action} and …/agent."""

    async def _status_action(self, request):
        """fakepve has one route for all of them: the lab's own actions go first."""
        action = request.match_info["action"]
        handler = {"start": self.power_start, "stop": self.power_stop, "shutdown": self.power_shutdown,
                   "reboot": self.power_reboot, "reset": self.power_reset}.get(action)
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
        await self.pause(START_SECONDS + vm.start_secs)
        vm.status = vm.qmpstatus = "running"
        vm.started_at = time.time()

    def _missing(self, node: str, vmid: int):
        vm = self.vm(vmid)
        if vm is None or vm.node != node:
            raise TaskError(f"Configuration file 'nodes/{node}/qemu-server/{vmid}.conf' does not exist")
        return vm

    async def power_start(self, values: dict, user: str) -> str:
        node, vmid = values["node"], int(values["vmid"])
        self.need_quorum()

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

    def _power_off(self, vm) -> None:
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

    async def power_stop(self, values: dict, user: str) -> str:
        node, vmid = values["node"], int(values["vmid"])
        self.need_quorum()

        async def body(task: Task) -> None:
            vm = self._missing(node, vmid)
            async with self.config_lock(vm, task.upid, task.log):
                if vm.config.get("lock") and not values.get("skiplock"):
                    raise TaskError(f"VM is locked ({vm.config['lock']})")
                if vm.status != "running":
                    return
                await self.pause(STOP_SECONDS + vm.stop_secs)
                self._power_off(vm)
            if self.time_scale:
                asyncio.ensure_future(self._clean_up(vm))
        return await self.start_task(node, "qmstop", vmid, user, body)

    async def _ask_to_power_off(self, vm, values: dict, task: Task) -> None:
        timeout = int(values.get("timeout") or 180)
        takes = vm.shutdown_secs or SHUTDOWN_SECONDS
        if self.has_system(vm) and takes <= timeout:
            await self.pause(takes)
        else:
            await self.pause(timeout)
            if not values.get("forceStop"):
                raise TaskError("VM quit/powerdown failed - got timeout")
            task.log("VM quit/powerdown failed - terminating now with SIGTERM")
        self._power_off(vm)

    async def power_shutdown(self, values: dict, user: str) -> str:
        node, vmid = values["node"], int(values["vmid"])
        self.need_quorum()

        async def body(task: Task) -> None:
            vm = self._missing(node, vmid)
            async with self.config_lock(vm, task.upid, task.log):
                if vm.config.get("lock"):
                    raise TaskError(f"VM is locked ({vm.config['lock']})")
                if vm.status == "running":
                    await self._ask_to_power_off(vm, values, task)
        return await self.start_task(node, "qmshutdown", vmid, user, body)

    async def power_reboot(self, values: dict, user: str) -> str:
        node, vmid = values["node"], int(values["vmid"])
        vm = self.find(node, vmid)
        if vm.status != "running":
            raise die("VM is not running, cannot reboot")
        self.need_quorum()

        async def body(task: Task) -> None:
            async with self.config_lock(vm, task.upid, task.log):
                await self._ask_to_power_off(vm, values, task)
                await self.power_on(vm, task)
        return await self.start_task(node, "qmreboot", vmid, user, body)

    async def power_reset(self, values: dict, user: str) -> str:
        vm = self.find(values["node"], values["vmid"])
        if vm.status != "running":
            raise die(f"VM {vm.vmid} not running")

        async def body(task: Task) -> None:
            vm.started_at = time.time()
        return await self.start_task(vm.node, "qmreset", vm.vmid, user, body)

    # ---------------------------------------------------------------- agent

    def agent_answers(self, vm) -> bool:
        """An agent answers if the control interface says so, or if a snippet installs it and the guest has booted."""
        if vm.agent is not None:
            return not vm.agent_hangs
        if not self.has_system(vm) or vm.started_at is None:
            return False
        if time.time() - vm.started_at < BOOT_SECONDS * self.time_scale:
            return False
        files = [self.file_of(volid, vm.node) for volid in self.snippets_of(vm.config)]
        return any(f is not None and "qemu-guest-agent" in f.read_text(errors="replace") for f in files)

    def agent_interfaces(self, vm) -> list[dict]:
        """The addresses a guest has that followed its ipconfig; DHCP gives one from the VMID."""
        found = [{"name": "lo", "hardware-address": "00:00:00:00:00:00", "ip-addresses": [
            {"ip-address": "127.0.0.1", "ip-address-type": "ipv4", "prefix": 8}]}]
        for number in range(32):
            mac = re.search(r"(?:[0-9A-Fa-f]{2}:){5}[0-9A-Fa-f]{2}", str(vm.config.get(f"net{number}", "")))
            if not mac:
                continue
            ip = re.search(r"(?:^|,)ip=([^,]+)", str(vm.config.get(f"ipconfig{number}", "")))
            text = ip.group(1) if ip else "dhcp"
            address, _, prefix = text.partition("/")
            if text == "dhcp":
                address, prefix = f"10.0.{vm.vmid // 250 % 250}.{vm.vmid % 250 + 1}", "16"
            found.append({"name": f"eth{number}", "hardware-address": mac.group(0).lower(), "ip-addresses": [
                {"ip-address": address, "ip-address-type": "ipv4", "prefix": int(prefix or 24)}]})
        return found

    async def _agent_call(self, match, values):
        vm = self.find(values["node"], values["vmid"])
        if not self.agent_configured(vm):
            raise PveError(500, "No QEMU guest agent configured")
        if vm.status != "running":
            raise PveError(500, f"VM {vm.vmid} is not running")
        if not self.agent_answers(vm):
            await self.pause(AGENT_PATIENCE)
            raise PveError(500, "QEMU guest agent is not running")
        before = vm.agent
        vm.agent = {"interfaces": self.agent_interfaces(vm), **(before or {})}
        try:
            return await super()._agent_call(match, values)
        finally:
            vm.agent = before
