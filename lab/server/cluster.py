"""Cluster and nodes: version, the lagging resource list, free VMIDs, bridges and PCI mappings."""

from __future__ import annotations

import asyncio
import json
import time

from fakepve.routing import die, param_error, sha1

# PVE seconds between two rounds of pvestatd.
STATUS_CYCLE = 10.0
# Real seconds until it is looked again whether time stands still.
IDLE_SECONDS = 0.2
# PVE seconds for which the cluster keeps what a node told it of itself.
STATUS_LIFE = 300.0
DEFAULT_VERSION = "9.2.11"
REPOID = "14a22df35955d97d"


class ClusterApi:
    """Mixin: what is asked of the cluster as a whole."""

    def init_cluster(self) -> None:
        self.bridges: set[str] = {"vmbr0"}
        # SDN: {vnet: zone}.
        self.vnets: dict[str, str] = {}
        # Options of the datacenter that are not as with every new one.
        self.datacenter: dict = {}
        # The API's certificate is the administrator's, and not signed by the cluster's CA.
        self.own_certificate = False
        self.mappings: dict[str, list[str]] = {}
        self.mapping_notes: dict[str, str] = {}
        self.usb_mappings: dict[str, list[str]] = {}
        self.cluster_name = "lab"
        self.set_version(DEFAULT_VERSION)
        # What the last round of pvestatd saw: {vmid: resource}, {node: usage}.
        self.seen: dict[int, dict] = {}
        self.seen_nodes: dict[str, dict] = {}
        self._cycle: asyncio.Task | None = None

    def set_version(self, version: str) -> None:
        self.version = version
        self.release_version = ".".join(version.split(".")[:2])

    def version_tuple(self) -> tuple[int, ...]:
        return tuple(int(part) for part in self.version.split(".")[:2])

    def first_node(self) -> str:
        return sorted(self.nodes)[0]

    def _routes_lab_cluster(self):
        pci = "/cluster/mapping/pci"
        network = "/nodes/{node}/network"
        return [("GET", "/cluster/nextid", self.next_id), ("GET", "/cluster/sdn/vnets", self.vnet_list),
                ("GET", network, self.network_list), ("GET", network + "/{iface}", self.network_get),
                ("GET", pci, self.mapping_list), ("POST", pci, self.mapping_create),
                ("GET", pci + "/{id}", self.mapping_get), ("PUT", pci + "/{id}", self.mapping_update),
                ("DELETE", pci + "/{id}", self.mapping_delete),
                ("GET", "/cluster/mapping/usb", self.usb_mapping_list)]

    async def version_get(self, values: dict, user: str) -> dict:
        return {"version": self.version, "release": self.release_version, "repoid": REPOID}

    async def cluster_status(self, values: dict, user: str) -> list[dict]:
        """fakepve's answer, which it gives to everybody."""
        return json.loads((await super()._cluster_status(None)).body)["data"]

    async def node_list(self, values: dict, user: str) -> list[dict]:
        items = []
        for name, state in sorted(self.nodes.items()):
            online = state.get("online", True)
            item = {"node": name, "id": "node/" + name, "type": "node", "status": "online" if online else "offline",
                    "ssl_fingerprint": self.fingerprint}
            if self.allowed(user, "/nodes/" + name, "Sys.Audit"):
                item["level"] = ""
                item.update(self._node_stats(name))
            items.append(item)
        return items

    # ------------------------------------------------------------ resources

    def start_cycle(self) -> None:
        self._cycle = asyncio.ensure_future(self._status_rounds())
        self.ha_kick()

    def offline_seconds(self, node: str) -> float:
        """PVE seconds since a node died."""
        real = time.time() - self.nodes[node].get("offlineSince", 0)
        return real / self.time_scale if self.time_scale else float("inf")

    def stop_cycle(self) -> None:
        if self._cycle:
            self._cycle.cancel()

    async def _status_rounds(self) -> None:
        while True:
            # Where time stands still, the lists show what is.
            if not self.time_scale:
                await asyncio.sleep(IDLE_SECONDS)
                continue
            # What is on a node without power stays as it was last seen.
            self.seen = {vm.vmid: self._resource(vm) if self.is_online(vm.node) else self.seen[vm.vmid]
                         for vm in self.vms if self.is_online(vm.node) or vm.vmid in self.seen}
            self.seen_nodes.update({node: self.node_usage(node) for node in self.nodes if self.is_online(node)})
            await asyncio.sleep(max(STATUS_CYCLE * self.time_scale, 0.05))

    def _resource(self, vm) -> dict:
        use = self._vm_usage(vm)
        return {**use, "name": vm.config.get("name") or f"VM {vm.vmid}", "status": vm.status,
                "template": 1 if vm.config.get("template") else 0}

    def _members(self, name: str, kind: str | None) -> list[dict]:
        """What is in a pool, VMs as pvestatd last saw them."""
        vms = [self.vm(vmid) for vmid in sorted(self.pools.get(name, ())) if kind in (None, "qemu")]
        return [self._vm_stats(vm) for vm in vms if vm is not None] + \
            [item for item in super()._members(name, kind) if item["type"] == "storage"]

    def _vm_stats(self, vm) -> dict:
        """A VM's existence, which the cluster knows at once, and its status from the last round."""
        item = {"id": f"qemu/{vm.vmid}", "type": "qemu", "node": vm.node, "vmid": vm.vmid}
        young = time.monotonic() - getattr(vm, "born", 0) < STATUS_CYCLE * self.time_scale
        if not self.is_online(vm.node):
            item.update(self.seen.get(vm.vmid, {}) if self._still_shown(vm.node) else {"status": "unknown"})
        elif not self.time_scale:
            item.update(self._resource(vm))
        elif young or vm.vmid not in self.seen:
            item["status"] = "unknown"
        else:
            item.update(self.seen[vm.vmid])
        return item

    def _vm_resource(self, vm, user: str) -> dict:
        """A VM as /cluster/resources lists it."""
        item = self._vm_stats(vm)
        tags = str(vm.config.get("tags", "")).strip()
        if tags:
            item["tags"] = tags
        if vm.config.get("lock"):
            item["lock"] = vm.config["lock"]
        if (state := self.ha_state(vm.vmid)) is not None:
            item["hastate"] = state
        if vm.pool and self.allowed(user, "/pool/" + vm.pool, "Pool.Audit"):
            item["pool"] = vm.pool
        return item

    def _still_shown(self, node: str) -> bool:
        """True while the cluster shows what a dead node last told it of itself."""
        return bool(self.nodes[node].get("stillShown")) and self.offline_seconds(node) < STATUS_LIFE

    async def cluster_resources(self, values: dict, user: str) -> list[dict]:
        kind = values.get("type")
        items = []
        if kind in (None, "vm"):
            items += [self._vm_resource(vm, user) for vm in sorted(self.vms, key=lambda v: v.vmid)
                      if self.allowed(user, f"/vms/{vm.vmid}", "VM.Audit")]
        if kind in (None, "node"):
            for name, state in sorted(self.nodes.items()):
                online = state.get("online", True)
                item = {"id": "node/" + name, "type": "node", "node": name,
                        "status": "online" if online else "offline"}
                if self.allowed(user, "/nodes/" + name, "Sys.Audit"):
                    item.update(level="", **self._node_stats(name))
                    item["cgroup-mode"] = 2
                items.append(item)
        if kind in (None, "storage"):
            items += [item for node in sorted(self.nodes) for name in sorted(self.storages)
                      if self._can_audit(user, name) and (item := self._storage_resource(node, name))]
        if kind is None:
            items += [{"id": "/pool/" + name, "type": "pool", "pool": name} for name in sorted(self.pools)
                      if self.allowed(user, "/pool/" + name, "Pool.Audit")]
        return items

    async def next_id(self, values: dict, user: str) -> str:
        wanted = values.get("vmid")
        if wanted is not None:
            if self.vm(int(wanted)) is not None:
                raise param_error(vmid=f"VM {wanted} already exists")
            return str(wanted)
        taken = {vm.vmid for vm in self.vms}
        return str(next(n for n in range(100, 1_000_000) if n not in taken))

    # -------------------------------------------------------------- network

    def _bridge(self, name: str) -> dict:
        return {"iface": name, "type": "bridge", "active": 1, "autostart": 1, "exists": 1, "method": "static",
                "method6": "manual", "families": ["inet"], "address": "10.0.0.2", "netmask": "24",
                "cidr": "10.0.0.2/24", "gateway": "10.0.0.1", "bridge_ports": "eno1", "bridge_stp": "off",
                "bridge_fd": "0", "priority": 4}

    async def network_list(self, values: dict, user: str) -> list[dict]:
        kind = values.get("type")
        items = [{"iface": "eno1", "type": "eth", "active": 1, "exists": 1, "method": "manual", "method6": "manual",
                  "families": ["inet"], "priority": 3}] if kind in (None, "eth") else []
        if kind in (None, "bridge", "any_bridge", "any_local_bridge", "include_sdn"):
            items += [self._bridge(name) for name in sorted(self.bridges)
                      if self.allowed(user, f"/sdn/zones/localnetwork/{name}", "SDN.Audit")
                      or self.allowed(user, f"/sdn/zones/localnetwork/{name}", "SDN.Use")
                      or self.allowed(user, "/nodes/" + values["node"], "Sys.Audit")]
        if kind in ("any_bridge", "any_local_bridge", "include_sdn"):
            items += [{"iface": name, "type": "vnet", "active": 1, "bridge_ports": ""} for name in self._vnets_for(user)]
        return items

    def _vnets_for(self, user: str) -> list[str]:
        return [name for name, zone in sorted(self.vnets.items())
                if any(self.allowed(user, f"/sdn/zones/{zone}/{name}", p) for p in ("SDN.Audit", "SDN.Use", "SDN.Allocate"))]

    async def vnet_list(self, values: dict, user: str) -> list[dict]:
        return [{"vnet": name, "zone": self.vnets[name], "type": "vnet", "digest": sha1(repr(sorted(self.vnets.items())))}
                for name in self._vnets_for(user)]

    async def network_get(self, values: dict, user: str) -> dict:
        if values["iface"] not in self.bridges:
            raise param_error(iface="interface does not exist")
        return self._bridge(values["iface"])

    # ------------------------------------------------------------- mappings

    def _mapping_view(self, name: str) -> dict:
        view = {"id": name, "type": "pci", "map": list(self.mappings[name]), "digest": self._mapping_digest()}
        return {**view, "description": self.mapping_notes[name]} if name in self.mapping_notes else view

    def _mapping_digest(self) -> str:
        return sha1(repr(sorted(self.mappings.items())))

    def _visible_mappings(self, kind: str, mappings: dict[str, list[str]], user: str) -> list[str]:
        privileges = ("Mapping.Audit", "Mapping.Use", "Mapping.Modify")
        return [name for name in sorted(mappings)
                if any(self.allowed(user, f"/mapping/{kind}/{name}", p) for p in privileges)]

    @staticmethod
    def _checked(node: str, entries: list[str]) -> list[dict]:
        here = any(f"node={node}," in entry + "," for entry in entries)
        return [] if here else [{"severity": "warning", "message": f"No mapping for node {node}."}]

    async def mapping_list(self, values: dict, user: str) -> list[dict]:
        items = []
        for name in self._visible_mappings("pci", self.mappings, user):
            item = self._mapping_view(name)
            if node := values.get("check-node"):
                item["checks"] = self._checked(node, self.mappings[name])
            items.append(item)
        return items

    async def usb_mapping_list(self, values: dict, user: str) -> list[dict]:
        """PVE::API2::Cluster::Mapping::USB: what is wrong is called `errors` here."""
        digest = sha1(repr(sorted(self.usb_mappings.items())))
        node = values.get("check-node")
        return [{"id": name, "type": "usb", "map": list(self.usb_mappings[name]), "digest": digest,
                 **({"errors": self._checked(node, self.usb_mappings[name])} if node else {})}
                for name in self._visible_mappings("usb", self.usb_mappings, user)]

    def _mapping(self, name: str) -> None:
        if name not in self.mappings:
            raise die(f"mapping '{name}' not found")

    async def mapping_get(self, values: dict, user: str) -> dict:
        self._mapping(values["id"])
        view = self._mapping_view(values["id"])
        view.pop("id")
        return view

    async def mapping_create(self, values: dict, user: str) -> None:
        if values["id"] in self.mappings:
            raise die(f"create hardware mapping failed: pci ID '{values['id']}' already defined")
        given = values.get("map") or []
        self.mappings[values["id"]] = [given] if isinstance(given, str) else list(given)
        if values.get("description"):
            self.mapping_notes[values["id"]] = values["description"]

    async def mapping_update(self, values: dict, user: str) -> None:
        self._mapping(values["id"])
        given = values.get("map")
        if given:
            self.mappings[values["id"]] = [given] if isinstance(given, str) else list(given)

    async def mapping_delete(self, values: dict, user: str) -> None:
        self._mapping(values["id"])
        del self.mappings[values["id"]]
        self.mapping_notes.pop(values["id"], None)
