"""The control interface: what a test may do to the cluster behind its users' backs, and what it may look at."""

from __future__ import annotations

import base64 as codec
import hashlib
import inspect
import json
import time
from pathlib import Path

from aiohttp import web
from fakepve.model import PveError, TaskError

from . import drives
from .access import AclEntry
from .api import Ambush
from .certs import fingerprint, issue
from .conditions import CONDITIONS
from .ha import MANAGER_SECONDS, RECOVERY_SECONDS
from .imageserver import ImageServer, Knobs
from .locks import STORAGE_SLOTS, STORAGE_WAIT
from .seed import make_folders
from .settings import FLEET_USER, fleet_role
from .ssh import SshServer
from .tasks import Hiccup, TaskFault, TaskHang
from .volumes import FOLDERS, SHARED_TYPES, Volume

NETWORK = {"latency": 0.0, "jitter": 0.0, "node_latency": {}, "drop_rate": 0.0, "hang_rate": 0.0, "hang_secs": 120,
           "seed": None}


class Control:
    """HTTP on loopback: `GET /state`, `GET /requests`, `POST /do/<action>` with a JSON object."""

    def __init__(self, pve, images: ImageServer, shells: list[SshServer], about: dict):
        self.pve, self.images, self.shells, self.about = pve, images, shells, about
        self.runner: web.AppRunner | None = None
        self.port = 0

    async def start(self, host: str, port: int) -> None:
        app = web.Application(client_max_size=64 * 1024**2)
        app.router.add_get("/health", self._health)
        app.router.add_get("/state", self._state)
        app.router.add_get("/requests", self._requests)
        app.router.add_post("/do/{action}", self._do)
        self.runner = web.AppRunner(app, access_log=None)
        await self.runner.setup()
        await web.TCPSite(self.runner, host, port).start()
        self.port = self.runner.addresses[0][1]

    async def stop(self) -> None:
        if self.runner:
            await self.runner.cleanup()

    async def _health(self, request: web.Request) -> web.Response:
        return web.json_response({**self.about, "timeScale": self.pve.time_scale})

    async def _state(self, request: web.Request) -> web.Response:
        return web.json_response(self.state())

    async def _requests(self, request: web.Request) -> web.Response:
        since = int(request.query.get("since", 0))
        return web.json_response({"total": self.pve.log_number, "api": [e for e in self.pve.log_entries if e["n"] > since],
                                  "images": self.images.log, "ssh": self.pve.ssh_log})

    async def _do(self, request: web.Request) -> web.Response:
        action = getattr(self, "do_" + request.match_info["action"], None)
        if action is None:
            return web.json_response({"error": f"no such action: {request.match_info['action']}"}, status=404)
        try:
            body = await request.text()
            result = action(**(json.loads(body) if body else {}))
            if inspect.isawaitable(result):
                result = await result
        except (TypeError, ValueError, KeyError, PveError, TaskError, StopIteration) as error:
            return web.json_response({"error": f"{type(error).__name__}: {error}"}, status=400)
        self.pve.forget_rights()
        self.pve.changed()
        return web.json_response({"result": result})

    # ---------------------------------------------------------------- looking

    def state(self) -> dict:
        """Everything the cluster holds."""
        pve = self.pve
        files = {}
        for node in sorted(pve.nodes):
            for storage in sorted(pve.storages):
                for content in FOLDERS:
                    for path in pve.files_of(storage, node, content):
                        data = path.read_bytes()
                        files[f"{node}/{storage}:{content}/{path.name}"] = {
                            "size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        vms = {str(vm.vmid): {"node": vm.node, "name": vm.config.get("name"), "status": vm.status, "config": vm.config,
                              "pending": vm.pending, "snapshots": sorted(vm.snapshots), "pool": vm.pool,
                              "guest": pve.guest_view(vm)}
               for vm in sorted(pve.vms, key=lambda v: v.vmid)}
        return {"nodes": {n: s.get("online", True) for n, s in pve.nodes.items()}, "quorate": pve.quorate,
                "version": pve.version, "vms": vms, "volumes": pve.dump_volumes(), "files": files,
                "leftovers": self._leftovers(), "pools": {k: sorted(v) for k, v in pve.pools.items()},
                "mappings": pve.mappings, "ha": pve.ha_view(), "running": [t.record["upid"] for t in pve.running.values()]}

    def _leftovers(self) -> list[str]:
        """Half-finished downloads, which nobody else lists."""
        root: Path = self.pve.settings.directory / "nodes"
        return sorted(str(p.relative_to(root)) for p in root.rglob("*.tmp_dwnl.*"))

    def do_tasks(self) -> list[dict]:
        return self.pve.tasklog

    def do_clear_requests(self) -> None:
        self.pve.log_entries.clear()
        self.pve.ssh_log.clear()
        self.images.log.clear()

    # ----------------------------------------------------------------- faults

    def do_fail(self, method: str, path: str, error: str | None = None, status: int | None = None,
                message: str | None = None, times: int | None = 1, html: bool = False) -> None:
        """Answer matching requests with PVE's own error of a name, or with a status and text."""
        self.pve.fail(method, path, status=status, message=message, html=html, error=error, times=times)

    def do_fail_task(self, type: str, message: str, times: int | None = 1,  # noqa: A002 - the API's word
                     vmid: int | None = None, log: list[str] | None = None) -> None:
        """The next tasks of a type, or all of them, end with this text; with a VMID, only those about that VM."""
        self.pve.task_faults.append(TaskFault(type, message, 1_000_000 if times is None else times, vmid, tuple(log or ())))

    def do_just_before(self, method: str, path: str, action: str, params: dict | None = None, times: int = 1) -> None:
        """Do another action of this interface right before the next matching requests are carried out."""
        act = getattr(self, "do_" + action)
        self.pve.ambushes.append(Ambush(method, path, times, lambda: act(**(params or {}))))

    def do_hiccup(self, method: str, path: str, times: int = 1, started: bool = False) -> None:
        """The next matching requests that start a task are told that no worker was started, which may be wrong."""
        self.pve.hiccups.append(Hiccup(method, path, times, started))

    def do_cut(self, method: str, path: str, times: int = 1, when: str = "before") -> None:
        """Cut the connection of matching requests before or after they are carried out."""
        if when not in ("before", "after"):
            raise ValueError("when must be 'before' or 'after'")
        self.pve.cuts.append({"method": method, "path": path, "times": times, "when": when})

    def do_clear_faults(self) -> None:
        """Everything that was broken on purpose works again (what VMs there are stays)."""
        pve = self.pve
        pve.failures.clear()
        pve.task_faults.clear()
        pve.task_hangs.clear()
        pve.cuts.clear()
        pve.hiccups.clear()
        pve.ambushes.clear()
        pve.guest_plans.clear()
        pve.network.update(NETWORK)
        pve.expired_tokens.clear()
        pve.sftp_denied = False
        pve.regain_quorum()
        for node in pve.nodes.values():
            node["online"] = True
        for vm in pve.vms:
            pve.release(vm, "scenario")
        for storage in {storage for storage, _ in pve.held_storages}:
            self.do_release_storage_lock(storage)
        pve.storage_locks.slots, pve.storage_locks.wait = STORAGE_SLOTS, STORAGE_WAIT
        self.images.knobs = Knobs()
        for shell in self.shells:
            shell.own_host_key()
        self.do_ha()
        pve.ha_kick()

    def do_conditions(self, name: str) -> None:
        """Set all that takes time as a named condition says."""
        if name not in CONDITIONS:
            raise ValueError(f"there are the conditions {', '.join(sorted(CONDITIONS))}")
        wanted = CONDITIONS[name]
        self.do_time_scale(wanted.time_scale)
        self.pve.network.update({**NETWORK, "node_latency": {}, "latency": wanted.latency})
        self.do_storage_locks()

    def do_time_scale(self, scale: float) -> None:
        self.pve.time_scale = float(scale)
        # The round under way sleeps by the old scale.
        self.pve.stop_cycle()
        self.pve.start_cycle()

    def do_network(self, latency: float = 0, jitter: float = 0, dropRate: float = 0, hangRate: float = 0,
                   hangSeconds: float = 120, seed: int | None = None) -> None:
        self.pve.network.update(latency=latency, jitter=jitter, drop_rate=dropRate, hang_rate=hangRate,
                                hang_secs=hangSeconds, seed=seed)
        if seed is not None:
            self.pve._random.seed(seed)

    def do_node_online(self, node: str, online: bool, stillShown: bool = False) -> None:
        """A node loses its power: its workers die, its guests stop, it answers nothing. It comes back without them."""
        pve = self.pve
        pve.set_node_offline(node, not online)
        pve.ha_kick()
        if online:
            return
        pve.seen.update({vm.vmid: pve._resource(vm) for vm in pve.vms if vm.node == node})
        pve.nodes[node].update(offlineSince=time.time(), stillShown=stillShown)
        for task in list(pve.running.values()):
            if task.record["node"] == node:
                pve.kill_worker(task.upid)
        for vm in pve.vms:
            if vm.node == node and vm.status == "running":
                pve.power_off(vm)

    def do_node(self, node: str, memoryMiB: int | None = None, cpus: int | None = None) -> None:
        """What a node has."""
        state = self.pve.nodes[node]
        if memoryMiB is not None:
            state["memory"] = memoryMiB * 1024**2
        if cpus is not None:
            state["cpus"] = cpus
        self.pve.seen_nodes.pop(node, None)

    def do_quorum(self, quorate: bool) -> None:
        self.pve.quorate = quorate

    async def do_hold_lock(self, vmid: int, seconds: float | None = None) -> None:
        await self.pve.hold_config_lock(vmid, seconds)

    def do_release_lock(self, vmid: int) -> None:
        self.pve.release_config_lock(vmid)

    async def do_hold_storage_lock(self, storage: str, node: str | None = None) -> None:
        """Take every slot of a datastore's lock, on one node or on every node, until it is released."""
        for place in sorted({self.pve.place(storage, one) for one in ([node] if node else self.pve.nodes)}):
            for _ in range(self.pve.storage_locks.slots):
                if not await self.pve.storage_locks.acquire(place, 30):
                    raise ValueError(f"the lock of {place} is not free")
                self.pve.held_storages.append((storage, place))

    def do_release_storage_lock(self, storage: str) -> None:
        for held in [held for held in self.pve.held_storages if held[0] == storage]:
            self.pve.held_storages.remove(held)
            self.pve.storage_locks.release(held[1])

    def do_storage_locks(self, slots: int = STORAGE_SLOTS, wait: float = STORAGE_WAIT) -> None:
        self.pve.storage_locks.slots, self.pve.storage_locks.wait = slots, wait

    def do_kill_task(self, upid: str | None = None, type: str | None = None,  # noqa: A002
                     vmid: int | None = None) -> list[str]:
        """SIGKILL for the workers that match; their UPIDs."""
        hit = [t.record["upid"] for t in list(self.pve.running.values())
               if upid in (None, t.record["upid"]) and type in (None, t.record["type"])
               and (vmid is None or t.is_about(vmid))]
        return [u for u in hit if self.pve.kill_worker(u)]

    def do_hang_task(self, type: str, times: int = 1, vmid: int | None = None, volumes: int = 1) -> None:  # noqa: A002
        """The next tasks of a type stand still; a clone with so many volumes made."""
        self.pve.task_hangs.append(TaskHang(type, times, vmid, volumes))

    def do_resume_task(self, upid: str | None = None, type: str | None = None,  # noqa: A002
                       vmid: int | None = None) -> list[str]:
        """Let tasks that stand still go on; their UPIDs."""
        hit = [t for t in self.pve.running.values() if t.gate is not None and not t.gate.is_set()
               and upid in (None, t.upid) and type in (None, t.record["type"]) and (vmid is None or t.is_about(vmid))]
        for task in hit:
            task.gate.set()
        return [task.upid for task in hit]

    async def do_clone(self, source: int, newid: int, user: str = "mia@pam", hang: bool = False, full: bool = False,
                       name: str | None = None) -> str:
        """Somebody else clones; the UPID. With `hang` the clone stands still with its first volume made."""
        if hang:
            self.do_hang_task("qmclone", vmid=newid)
        vm = self._vm(source)
        values = {"node": vm.node, "vmid": source, "newid": newid, "full": int(full), "name": name}
        return await self.pve.guest_clone(values, "root@pam", owner=user)

    def do_expire_token(self, token: str, expired: bool = True) -> None:
        (self.pve.expired_tokens.add if expired else self.pve.expired_tokens.discard)(token)

    def do_revoke_tickets(self) -> None:
        self.pve.revoke_tickets()

    def do_certificate(self, names: list[str], foreign: bool = False, ended: bool = False,
                       subject: str = "lab API") -> str:
        """The API has another certificate from now on, signed by the same CA or a foreign one; its fingerprint."""
        directory = self.pve.settings.directory
        issue(directory, names, foreign, ended, subject)
        self.pve.own_certificate = foreign
        for site in self.pve.runner.sites:
            site._ssl_context.load_cert_chain(directory / "api.pem", directory / "api.key")
        self.pve.fingerprint = fingerprint(directory / "api.pem")
        return self.pve.fingerprint

    def do_host_keys(self, node: str, types: list[str]) -> list[str]:
        """A node's SSH server has other host keys from now on; their public lines."""
        return next(shell for shell in self.shells if shell.node == node).new_host_keys(types)

    def do_version(self, version: str) -> None:
        self.pve.set_version(version)

    def do_privileges(self, path: str | None = None, privileges: list[str] | None = None) -> None:
        """Give the fleet's user other privileges on a path; without arguments, those it started with."""
        wanted = {path: privileges or []} if path else fleet_role()
        if path is None:
            self.pve.entries = [e for e in self.pve.entries if e.who != FLEET_USER or e.path in wanted]
        for where, names in wanted.items():
            role = "GoldenFleet" + "".join(part.capitalize() for part in where.split("/") if part)
            self.pve.roles[role] = set(names)
            if not any(e.role == role for e in self.pve.entries):
                self.pve.entries.append(AclEntry(where, FLEET_USER, role))

    def do_pool(self, name: str, vms: list[int] | None = None, storages: list[str] | None = None) -> None:
        """A pool with these members; those above it are made with it."""
        pve, parts = self.pve, name.split("/")
        for level in ("/".join(parts[:n]) for n in range(1, len(parts) + 1)):
            pve.pools.setdefault(level, set_())
            pve.pool_info.setdefault(level, {"comment": None, "storage": set_()})
        for vmid in vms or []:
            pve._pool_leave(vmid)
        pve.pools[name] |= set_(vms or [])
        pve.pool_info[name]["storage"] |= set_(storages or [])
        pve._sync_pools()

    def do_sftp_denied(self, denied: bool) -> None:
        self.pve.sftp_denied = denied

    # ------------------------------------------------------------------- VMs

    def do_add_vm(self, vmid: int, node: str | None = None, config: dict | None = None, status: str = "stopped",
                  template: bool = False) -> None:
        """A VM that was always there; volumes its config names come with it."""
        pve = self.pve
        if pve.vm(vmid) is not None:
            raise ValueError(f"VM {vmid} exists")
        vm = pve.new_vm(vmid, node or pve.first_node())
        vm.born -= 3600
        vm.config = dict(config or {})
        if template:
            vm.config["template"] = 1
        vm.template = bool(vm.config.get("template"))
        vm.name = vm.config.get("name") or f"VM {vmid}"
        for drive in drives.of_config(vm.config):
            if drive.storage in pve.storages and pve.volume(drive.volume, vm.node) is None:
                size = drives.parse_size(drive.options.get("size", "4M")) or 0
                name = drive.volume.partition(":")[2]
                fmt = name.rsplit(".", 1)[-1] if "." in name else "raw"
                pve.volumes_of(drive.storage, vm.node)[name] = Volume(vmid, fmt, size, 0, int(time.time()))
        if status == "running":
            self.do_power(vmid, status)
        pve.seen[vmid] = pve._resource(vm)

    def do_patch_config(self, vmid: int, set: dict | None = None,  # noqa: A002
                        delete: list[str] | None = None) -> dict:
        """Change a config behind everybody's back."""
        vm = self._vm(vmid)
        vm.config.update(set or {})
        for key in delete or []:
            vm.config.pop(key, None)
        vm.name = vm.config.get("name") or f"VM {vmid}"
        vm.template = bool(vm.config.get("template"))
        return vm.config

    def do_move_vm(self, vmid: int, node: str) -> None:
        """A VM lives on another node from now on, with its volumes, running or not."""
        pve, vm = self.pve, self._vm(vmid)
        if node not in pve.nodes:
            raise ValueError(f"there is no node {node}")
        for volid in pve.owned_by(vmid, vm.node):
            storage, _, name = volid.partition(":")
            if not pve.is_shared(storage):
                pve.volumes_of(storage, node)[name] = pve.volumes_of(storage, vm.node).pop(name)
        vm.node = node

    def do_delete_vm(self, vmid: int, volumes: bool = True) -> None:
        vm = self._vm(vmid)
        for volid in self.pve.owned_by(vmid, vm.node) if volumes else []:
            self.pve.free(volid, vm.node)
        self.pve.vms.remove(vm)
        self.pve._pool_leave(vmid)

    def do_power(self, vmid: int, status: str) -> None:
        """Somebody else starts a VM, or cuts its power."""
        vm = self._vm(vmid)
        self.pve.ha_kick()
        if status != "running":
            self.pve.power_off(vm)
        elif vm.status != "running":
            vm.config, vm.pending = self.pve.merged(vm), {}
            vm.status = vm.qmpstatus = status
            self.pve.generate_cloudinit(vm)
            self.pve.guest_boots(vm)

    def do_ha_managed(self, vmid: int, state: str | None = "started") -> None:
        """Put a VM under HA, with what is asked for; null takes it out. A VM that is as asked for needs no manager."""
        sid, vm = f"vm:{vmid}", self._vm(vmid)
        if state is None:
            self.pve.ha_forget(sid)
            return
        self.pve.ha_resources[sid] = {"state": state}
        if (state == "started") == (vm.status == "running") and state != "ignored":
            self.pve.ha_services[sid] = {"node": vm.node, "state": "started" if state == "started" else "stopped"}
        self.pve.ha_kick(sid)

    def do_ha(self, seconds: float | None = MANAGER_SECONDS, recoverySeconds: float = RECOVERY_SECONDS) -> None:
        """How long the manager takes for a request (null: for ever), and until a dead node's VMs live elsewhere."""
        self.pve.ha_seconds, self.pve.ha_recovery = seconds, recoverySeconds

    def do_guest_reboot(self, vmid: int) -> None:
        """A guest reboots by itself: PVE does not notice, and its drive stays as it is."""
        vm = self._vm(vmid)
        if vm.status != "running":
            raise ValueError(f"VM {vmid} does not run")
        self.pve.guest_boots(vm)

    def do_age_snapshot(self, vmid: int, name: str, days: float) -> None:
        """Make a snapshot look as if it had been taken so many days ago."""
        self._vm(vmid).snapshots[name]["snaptime"] = int(time.time() - days * 86_400)

    def do_add_key(self, vmid: int, user: str, line: str) -> None:
        """Somebody adds a line to a user's authorized_keys, in the guest."""
        keys = (self._vm(vmid).guest_memory or {}).setdefault("keys", {})
        keys[user] = keys.get(user, "") + line + "\n"

    def do_guest(self, vmid: int | str, **behaviour) -> None:
        """How a guest behaves: one that is there, one that will be there, or (`new`) all that will be."""
        names = {"acpi": "acpi", "agent": "agent", "agentHangs": "agent_hangs", "startError": "start_error",
                 "agentAfter": "agent_after", "cloudInit": "cloud_init",
                 "shutdownSeconds": "shutdown_secs", "startSeconds": "start_secs", "stopSeconds": "stop_secs"}
        wanted = {names[name]: value for name, value in behaviour.items()}
        vm = None if vmid == "new" else self.pve.vm(int(vmid))
        if vm is None:
            self.pve.guest_plans.setdefault(str(vmid), {}).update(wanted)
        for name, value in wanted.items() if vm else ():
            setattr(vm, name, value)

    def _vm(self, vmid: int):
        vm = self.pve.vm(int(vmid))
        if vm is None:
            raise ValueError(f"there is no VM {vmid}")
        return vm

    # ------------------------------------------------------ storage, network

    def do_storage(self, name: str, avail: int | None = None, active: bool | None = None, content: str | None = None,
                   disable: bool | None = None, remove: bool = False, create: dict | None = None) -> dict | None:
        """Change a datastore: room left, reachable, content types; or make or remove one."""
        pve = self.pve
        if create is not None:
            pve.storages[name] = {"active": 1, "files": set_(), **create}
            if create.get("type") in SHARED_TYPES:
                pve.storages[name]["shared"] = 1
            make_folders(pve)
        if remove:
            pve.storages.pop(name, None)
            return None
        store = pve.storages[name]
        if avail is not None:
            pve.set_avail(name, avail)
        if active is not None:
            store["active"] = 1 if active else 0
        if content is not None:
            store["content"] = content
        if disable is not None:
            store.pop("disable", None)
            if disable:
                store["disable"] = 1
        return {k: v for k, v in store.items() if k != "files"}

    def do_volume(self, storage: str, name: str, used: int, node: str | None = None) -> None:
        """How much of a volume is written to."""
        self.pve.volumes_of(storage, node or self.pve.first_node()).set_used(name, used)

    def do_put_file(self, storage: str, content: str, name: str, text: str, node: str | None = None) -> None:
        """A file on a datastore that nobody asked the lab for."""
        where = node or self.pve.first_node()
        path = self.pve.real_path(where, f"{self.pve.folder(storage, content)}/{name}")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def do_remove_file(self, storage: str, content: str, name: str, node: str | None = None) -> None:
        where = node or self.pve.first_node()
        self.pve.real_path(where, f"{self.pve.folder(storage, content)}/{name}").unlink(missing_ok=True)

    def do_second_factor(self, user: str, needed: bool = True) -> None:
        """A user is asked for a second factor at login."""
        others = [one for one in self.pve.second_factors if one != user]
        self.pve.second_factors = [*others, user] if needed else others

    def do_datacenter(self, options: dict) -> None:
        """Options of the datacenter, for example {"next-id": {"lower": "100", "upper": "200"}}."""
        self.pve.datacenter = options

    def do_vnets(self, vnets: dict[str, str]) -> None:
        """The vnets of SDN: {name: zone}."""
        self.pve.vnets = vnets

    def do_bridges(self, bridges: list[str]) -> None:
        self.pve.bridges = set_(bridges)

    def do_mapping(self, id: str, map: list[str] | None = None, kind: str = "pci") -> None:  # noqa: A002
        """Set a mapping of PCI or USB devices; null removes it."""
        mappings = {"pci": self.pve.mappings, "usb": self.pve.usb_mappings}[kind]
        if map is None:
            mappings.pop(id, None)
        else:
            mappings[id] = map

    def do_images(self, bytesPerSecond: float | None = None, drops: int | None = None, dropAfter: int | None = None,
                  errors: int | None = None, status: int | None = None, corrupt: int | None = None,
                  stalls: int | None = None, only: str | None = None) -> None:
        """What the image server does wrong from now on."""
        for name, value in (("bytes_per_second", bytesPerSecond), ("drops", drops), ("drop_after", dropAfter),
                            ("errors", errors), ("status", status), ("corrupt", corrupt), ("stalls", stalls),
                            ("only", only)):
            if value is not None:
                setattr(self.images.knobs, name, value)

    def do_add_image(self, name: str, base64: str | None = None, size: int | None = None) -> dict:
        """Serve another file: given bytes, or so many zeros."""
        data = codec.b64decode(base64) if base64 is not None else bytes(size or 0)
        self.images.files[name] = data
        return {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}


# `set` is a parameter name above.
set_ = set
