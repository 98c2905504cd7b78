"""High availability: the resources that an admin put under it, and a manager that brings their states about, later.

Calls that start, stop or migrate such a VM only file a request, and their task ends well at once. The manager (CRM) looks
every ten seconds; what it then does (LRM) are ordinary tasks of root@pam. A node that is dead for a minute is fenced; its
resources, whatever their disks are on, move to another node two minutes later and are started there.
"""

from __future__ import annotations

import asyncio
import time

from fakepve.model import PveError, TaskError
from fakepve.routing import die, sha1

from .tasks import Task

# PVE seconds between two looks of the manager, until a dead node is fenced, and until its resources live elsewhere.
MANAGER_SECONDS = 10.0
FENCE_SECONDS = 60.0
RECOVERY_SECONDS = 180.0
# Real seconds: the manager never spins, not even where time stands still.
LEAST_SECONDS = 0.01
# How long a guest may take to power off unless the request says otherwise.
STOP_PATIENCE = 60
ROOT = "root@pam"
# Locks of a dead node's workers, which a recovery removes.
DEAD_LOCKS = ("backup", "mounted", "migrate", "clone", "rollback", "snapshot", "snapshot-delete")
OPTIONS = ("state", "comment", "failback", "max_restart", "max_relocate", "group")


class HaApi:
    """Mixin: /cluster/ha, and what the power and migrate calls ask of it."""

    def init_ha(self) -> None:
        # What is asked for: {sid: options}, as in resources.cfg; and what the manager knows: {sid: {node, state, command}}.
        self.ha_resources: dict[str, dict] = {}
        self.ha_services: dict[str, dict] = {}
        # None: the manager does nothing.
        self.ha_seconds: float | None = MANAGER_SECONDS
        self.ha_recovery = RECOVERY_SECONDS
        self._ha_managers: dict[str, asyncio.Task] = {}

    def _routes_lab_ha(self):
        resources, status = "/cluster/ha/resources", "/cluster/ha/status"
        one = resources + "/{sid}"
        return [("GET", resources, self.ha_list), ("POST", resources, self.ha_create), ("GET", one, self.ha_read),
                ("PUT", one, self.ha_update), ("DELETE", one, self.ha_delete),
                ("POST", one + "/migrate", self.ha_migrate), ("POST", one + "/relocate", self.ha_relocate),
                ("GET", status + "/current", self.ha_current), ("GET", status + "/manager_status", self.ha_manager_status)]

    # -------------------------------------------------------------- looking

    def ha_managed(self, vmid: int) -> bool:
        """An ignored resource behaves as if there were no HA."""
        resource = self.ha_resources.get(f"vm:{vmid}")
        return resource is not None and resource.get("state") != "ignored"

    def ha_status(self, vmid: int) -> dict:
        """`ha` of a VM's status; the state is null until the manager has seen a new resource."""
        if not self.ha_managed(vmid):
            return {"managed": 0}
        return {"managed": 1, "state": self.ha_services.get(f"vm:{vmid}", {}).get("state")}

    def ha_state(self, vmid: int) -> str | None:
        """`hastate` of /cluster/resources."""
        sid = f"vm:{vmid}"
        return self.ha_services.get(sid, {}).get("state") or self.ha_resources.get(sid, {}).get("state")

    def ha_view(self) -> dict:
        """For the control interface: asked for and known, by VMID."""
        return {sid.partition(":")[2]: {"requested": self._wanted(sid), "state": self.ha_services.get(sid, {}).get("state"),
                                        "node": self.ha_services.get(sid, {}).get("node")}
                for sid in sorted(self.ha_resources)}

    def _wanted(self, sid: str) -> str:
        state = self.ha_resources[sid].get("state", "started")
        return "started" if state == "enabled" else state

    def _sid(self, text: str) -> str:
        if not str(text).isdigit():
            return str(text)
        if self.vm(int(text)) is None:
            raise die(f"unable to detect SID from VMID - VM/CT {text} does not exist")
        return f"vm:{text}"

    def _ha_config(self, sid: str) -> dict:
        if sid not in self.ha_resources:
            raise die(f"no such resource '{sid}'")
        return {"sid": sid, "type": sid.partition(":")[0], **self.ha_resources[sid],
                "digest": sha1(repr(sorted(self.ha_resources.items())))}

    def _check_not_error(self, sid: str, wanted: str | None = None) -> None:
        if self.ha_services.get(sid, {}).get("state") == "error" and wanted != "disabled":
            raise die(f"service '{sid}' in error state, must be disabled and fixed first")

    async def ha_list(self, values: dict, user: str) -> list[dict]:
        found = [self._ha_config(sid) for sid in sorted(self.ha_resources)]
        return [item for item in found if values.get("type") in (None, item["type"])]

    async def ha_read(self, values: dict, user: str) -> dict:
        return self._ha_config(self._sid(values["sid"]))

    async def ha_current(self, values: dict, user: str) -> list[dict]:
        first = self.first_node()
        items = [{"id": "quorum", "type": "quorum", "node": first, "quorate": int(self.quorate),
                  "status": "OK" if self.quorate else f"No quorum on node '{first}'!"}]
        if self.ha_resources:
            items += [{"id": "master", "type": "master", "node": first, "timestamp": int(time.time()),
                       "status": f"{first} (active, {time.ctime()})"}]
        for sid in sorted(self.ha_resources):
            service = self.ha_services.get(sid, {})
            vm = self.vm(int(sid.partition(":")[2]))
            node = service.get("node") or (vm.node if vm else "---")
            state = service.get("state") or "queued"
            items.append({"id": f"service:{sid}", "type": "service", "sid": sid, "node": node, "state": state,
                          "request_state": self._wanted(sid), "status": f"{sid} ({node}, {state})",
                          **({"crm_state": service["state"]} if service else {})})
        return items

    async def ha_manager_status(self, values: dict, user: str) -> dict:
        first = self.first_node()
        return {"manager_status": {
            "master_node": first, "timestamp": int(time.time()),
            "node_status": {n: "online" if self.is_online(n) else "unknown" for n in self.nodes},
            "service_status": {sid: {"node": s["node"], "state": s["state"]} for sid, s in self.ha_services.items()}},
            "quorum": {"node": first, "quorate": int(self.quorate)}, "lrm_status": {}}

    # ------------------------------------------------------------- changing

    async def ha_create(self, values: dict, user: str) -> None:
        self.need_quorum()
        sid = self._sid(values["sid"])
        vmid = sid.partition(":")[2]
        if not vmid.isdigit() or self.vm(int(vmid)) is None:
            raise die(f"resource '{sid}' does not exist in cluster")
        if sid in self.ha_resources:
            raise die(f"create resource failed: resource ID '{sid}' already defined")
        self.ha_resources[sid] = {k: values[k] for k in OPTIONS if values.get(k) is not None}
        self.ha_kick(sid)

    async def ha_update(self, values: dict, user: str) -> None:
        sid = self._sid(values["sid"])
        self._check_not_error(sid, values.get("state"))
        if sid not in self.ha_resources:
            raise die(f"update resources config failed: no such resource '{sid}'")
        self.ha_resources[sid].update({k: values[k] for k in OPTIONS if values.get(k) is not None})
        for key in str(values.get("delete") or "").split(","):
            self.ha_resources[sid].pop(key, None)
        self.ha_kick(sid)

    async def ha_delete(self, values: dict, user: str) -> None:
        sid = self._sid(values["sid"])
        if sid not in self.ha_resources:
            raise die(f"cannot delete service '{sid}', not HA managed!")
        self.ha_forget(sid)

    def ha_forget(self, sid: str) -> None:
        self.ha_resources.pop(sid, None)
        self.ha_kick(sid)

    def _ha_command(self, sid: str, command: list) -> None:
        """Leave a command to the manager; one that concerns a service it does not know yet gets lost."""
        if not self.ha_managed(int(sid.partition(":")[2])):
            raise die(f"resource '{sid}' is not HA managed")
        self._check_not_error(sid)
        if sid in self.ha_services:
            self.ha_services[sid]["command"] = command
        self.ha_kick(sid)

    async def ha_migrate(self, values: dict, user: str) -> dict:
        sid = self._sid(values["sid"])
        self._ha_command(sid, ["migrate", values["node"]])
        return {"sid": sid, "requested-node": values["node"]}

    async def ha_relocate(self, values: dict, user: str) -> dict:
        sid = self._sid(values["sid"])
        self._ha_command(sid, ["relocate", values["node"]])
        return {"sid": sid, "requested-node": values["node"]}

    async def ha_task(self, kind: str, node: str, vmid: int, user: str, says: str, command: str, request) -> str:
        """The task that stands for a start, stop or migration: it files the request, and that is all."""
        async def body(task: Task) -> None:
            task.log(f"Requesting HA {says}")
            try:
                request(f"vm:{vmid}")
            except PveError as error:
                task.log(error.message)
                raise TaskError(f"command 'ha-manager {command}' failed: exit code 255") from None
        return await self.start_task(node, kind, vmid, user, body)

    async def ha_start_task(self, node: str, vmid: int, user: str) -> str:
        def request(sid: str) -> None:
            self._check_not_error(sid)
            self.ha_resources[sid]["state"] = "started"
            self.ha_kick(sid)
        return await self.ha_task("hastart", node, vmid, user, f"start for VM {vmid}", f"set vm:{vmid} --state started",
                                  request)

    async def ha_stop_task(self, node: str, vmid: int, user: str, timeout: int) -> str:
        return await self.ha_task("hastop", node, vmid, user, f"stop for VM {vmid}",
                                  f"crm-command stop vm:{vmid} {timeout}",
                                  lambda sid: self._ha_command(sid, ["stop", timeout]))

    async def ha_migrate_task(self, node: str, vmid: int, user: str, target: str) -> str:
        return await self.ha_task("hamigrate", node, vmid, user, f"migration for VM {vmid} to node {target}",
                                  f"migrate vm:{vmid} {target}", lambda sid: self._ha_command(sid, ["migrate", target]))

    # -------------------------------------------------------------- manager

    def ha_kick(self, sid: str | None = None) -> None:
        """There may be something to do for a resource, or for all."""
        for name in [sid] if sid else [*self.ha_resources]:
            if name not in self._ha_managers:
                self._ha_managers[name] = asyncio.ensure_future(self._ha_manage(name))

    async def _ha_manage(self, sid: str) -> None:
        try:
            while True:
                await asyncio.sleep(max((self.ha_seconds or MANAGER_SECONDS) * self.time_scale, LEAST_SECONDS))
                if self.ha_seconds is None or not self.quorate:
                    continue
                if not await self._ha_step(sid):
                    return
                self.changed()
        except Exception as error:  # a fault of the lab itself must be seen
            self.report("ha " + sid, error)
        finally:
            self._ha_managers.pop(sid, None)
            self.changed()

    async def _ha_step(self, sid: str) -> bool:
        """One look at a resource; False if there is nothing more to do for it."""
        vm = self.vm(int(sid.partition(":")[2]))
        if sid not in self.ha_resources or vm is None or self._wanted(sid) == "ignored":
            self.ha_services.pop(sid, None)
            return False
        wanted, service = self._wanted(sid), self.ha_services.get(sid)
        if service is None:
            self.ha_services[sid] = {"node": vm.node, "state": "request_start" if wanted == "started" else "request_stop"}
            return True
        if service["state"] == "error":
            if wanted == "disabled":
                service["state"] = "stopped"
            return False
        if not self.is_online(vm.node):
            return wanted != "disabled" and self._ha_recover(vm, service)
        if service["state"] in ("fence", "recovery"):
            # It came back in time.
            service["state"] = "started"
        service["node"] = vm.node
        command = service.pop("command", None)
        if command and command[0] in ("migrate", "relocate"):
            await self._ha_move(vm, service, *command)
            return True
        if command and service["state"] != "stopped":
            self.ha_resources[sid]["state"] = wanted = "stopped"
        if wanted == "started":
            return await self._ha_start(vm, service)
        service["state"] = "request_stop" if vm.status == "running" else "stopped"
        if vm.status != "running":
            return False
        timeout = command[1] if command else STOP_PATIENCE
        values = {"node": vm.node, "vmid": vm.vmid, **({"timeout": timeout, "forceStop": 1} if timeout else {})}
        ended = await self._lrm(self.power_shutdown if timeout else self.power_stop, values)
        service["state"] = "stopped" if ended else "error"
        return ended

    async def _lrm(self, call, values: dict) -> bool:
        """Do something on the VM's node as root@pam; True if it ended well."""
        try:
            upid = await call(values, ROOT, by_ha=True)
        except PveError:
            return False
        task = self.running.get(upid)
        if task is not None and task.runner is not None:
            await asyncio.wait([task.runner])
        return self.tasks[upid].get("exitstatus", "").startswith(("OK", "WARNINGS"))

    async def _ha_start(self, vm, service: dict) -> bool:
        service["state"] = "started"
        if vm.status == "running":
            service.pop("failed", None)
            return False
        if await self._lrm(self.power_start, {"node": vm.node, "vmid": vm.vmid}):
            return True
        service["failed"] = service.get("failed", 0) + 1
        if service["failed"] <= int(self.ha_resources[f"vm:{vm.vmid}"].get("max_restart", 1)):
            return True
        service.update(state="error", failed=0)
        return False

    async def _ha_move(self, vm, service: dict, how: str, target: str) -> None:
        if target == vm.node or not self.is_online(target):
            return
        service["state"] = how
        running = vm.status == "running"
        if running and how == "relocate":
            await self._lrm(self.power_shutdown, {"node": vm.node, "vmid": vm.vmid, "timeout": STOP_PATIENCE, "forceStop": 1})
            running = False
        await self._lrm(self.guest_migrate, {"node": vm.node, "vmid": vm.vmid, "target": target, "online": int(running),
                                             "with-local-disks": 1})
        service["state"] = "started" if self._wanted(f"vm:{vm.vmid}") == "started" else "request_stop"

    def _ha_recover(self, vm, service: dict) -> bool:
        """Fence a dead node, then give its resource to another one: the config file moves, the disks are where they were."""
        down = self.offline_seconds(vm.node)
        if down < min(FENCE_SECONDS, self.ha_recovery):
            return True
        service["state"] = "fence"
        if down < self.ha_recovery:
            return True
        service["state"] = "recovery"
        others = [node for node in sorted(self.nodes) if self.is_online(node)]
        if not others:
            return True
        load = {node: sum(other.node == node and other.status == "running" for other in self.vms) for node in others}
        vm.node = service["node"] = min(others, key=lambda node: (load[node], node))
        if vm.config.get("lock") in DEAD_LOCKS:
            del vm.config["lock"]
        service["state"] = "started" if self._wanted(f"vm:{vm.vmid}") == "started" else "request_stop"
        return True
