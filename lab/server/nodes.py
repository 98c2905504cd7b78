"""A node's own facts: hardware, time, capabilities, and the lists of the cluster that are empty here.

fakepve fills what it does not model with samples ("fake"); a client that believes them is checked against nothing.
"""

from __future__ import annotations

import time

from .certs import describe
from .volumes import GIB

BOOTED_AT = time.time() - 86_400
# What a node has unless the control interface says otherwise, and what it needs for itself.
MEMORY = 64 * GIB
CPUS = 16
OWN_MEMORY = 5 * GIB
# Tasks that have ended, of each node, in the cluster's list.
ENDED_TASKS = 25
KERNEL = "6.17.2-1-pve"
CPU_MODELS = ("host", "kvm64", "max", "qemu64", "x86-64-v2", "x86-64-v2-AES", "x86-64-v3", "x86-64-v4", "EPYC",
              "EPYC-Milan", "Skylake-Server", "Icelake-Server")
MACHINES = ("pc-i440fx-10.0", "pc-i440fx-9.2", "pc-q35-10.0", "pc-q35-9.2")


class NodeApi:
    """Mixin: /nodes/{node}/… that is neither a guest nor a datastore."""

    def _routes_lab_nodes(self):
        node = "/nodes/{node}"
        return [("GET", node + "/status", self.node_status), ("GET", node + "/version", self.version_get),
                ("GET", node + "/time", self.node_time), ("GET", node + "/hardware/pci", self.hardware_pci),
                ("GET", node + "/capabilities/qemu/cpu", self.cpu_models),
                ("GET", node + "/capabilities/qemu/machines", self.machines),
                ("GET", node + "/sdn/zones", self.node_zones), ("GET", node + "/dns", self.node_dns),
                ("GET", node + "/certificates/info", self.node_certificates),
                ("GET", "/access/domains", self.realms),
                ("GET", "/cluster/tasks", self.cluster_tasks), ("GET", "/cluster/options", self.cluster_options)]

    def node_usage(self, node: str) -> dict:
        """What a node has and uses now: its guests take all the memory that they are configured with."""
        state = self.nodes[node]
        total = state.get("memory", MEMORY)
        guests = sum(self._vm_usage(vm)["maxmem"] for vm in self.vms if vm.node == node and vm.status == "running")
        return {"cpu": 0.02, "maxcpu": state.get("cpus", CPUS), "mem": min(total, min(OWN_MEMORY, total // 8) + guests),
                "maxmem": total, "disk": 6 * GIB, "maxdisk": 94 * GIB, "uptime": int(time.time() - BOOTED_AT)}

    def _node_stats(self, node):
        """As the last round of pvestatd saw it; nothing of a node that is offline."""
        if not self.nodes[node].get("online", True):
            return {}
        return self.seen_nodes.get(node) if self.time_scale and node in self.seen_nodes else self.node_usage(node)

    async def node_status(self, values: dict, user: str) -> dict:
        use = self.node_usage(values["node"])
        total, used = use["maxmem"], use["mem"]
        release = f"Linux {KERNEL} #1 SMP PREEMPT_DYNAMIC PMX"
        return {
            "pveversion": f"pve-manager/{self.version}/14a22df35955d97d", "kversion": release,
            "uptime": int(time.time() - BOOTED_AT), "cpu": 0.02, "wait": 0, "idle": 0,
            "loadavg": ["0.12", "0.10", "0.09"],
            "cpuinfo": {"cpus": use["maxcpu"], "cores": max(1, use["maxcpu"] // 2), "sockets": 1, "model": "AMD Ryzen 7 PRO 5750G", "mhz": "3800",
                        "hvm": "1", "flags": "fpu vme de pse svm aes avx avx2", "user_hz": 100,
                        "vendor": "AuthenticAMD"},
            "memory": {"total": total, "used": used, "free": total - used, "available": total - used},
            "swap": {"total": 8 * GIB, "used": 0, "free": 8 * GIB}, "ksm": {"shared": 0},
            "rootfs": {"total": 94 * GIB, "used": 6 * GIB, "free": 88 * GIB, "avail": 83 * GIB},
            "boot-info": {"mode": "efi", "secureboot": 0},
            "current-kernel": {"sysname": "Linux", "machine": "x86_64", "release": KERNEL, "version": release}}

    async def node_time(self, values: dict, user: str) -> dict:
        now = int(time.time())
        return {"timezone": "UTC", "time": now, "localtime": now}

    async def hardware_pci(self, values: dict, user: str) -> list[dict]:
        """The devices that mappings of this node name."""
        found = []
        for name, entries in sorted(self.mappings.items()):
            for entry in entries:
                parts = dict(p.split("=", 1) for p in entry.split(",") if "=" in p)
                if parts.get("node") != values["node"]:
                    continue
                vendor, _, device = parts.get("id", "0000:0000").partition(":")
                found.append({"id": parts.get("path", ""), "class": "0x030000", "vendor": "0x" + vendor,
                              "device": "0x" + device, "iommugroup": int(parts.get("iommugroup", -1)),
                              "device_name": name})
        return found

    async def cpu_models(self, values: dict, user: str) -> list[dict]:
        return [{"name": name, "vendor": "default", "custom": 0} for name in CPU_MODELS]

    async def machines(self, values: dict, user: str) -> list[dict]:
        return [{"id": name, "type": "q35" if "q35" in name else "i440fx", "version": name.rsplit("-", 1)[-1]}
                for name in MACHINES]

    async def node_zones(self, values: dict, user: str) -> list[dict]:
        return [{"zone": "localnetwork", "status": "available"}]

    async def node_dns(self, values: dict, user: str) -> dict:
        return {"dns1": "10.0.0.1", "search": "example.net"}

    async def node_certificates(self, values: dict, user: str) -> list[dict]:
        """The cluster's CA, and the node's certificate: PVE's own, or the administrator's in its place."""
        directory = self.settings.directory
        served = describe(directory / "api.pem", "pve-ssl.pem")
        if self.own_certificate:
            served["filename"] = "pveproxy-ssl.pem"
        return [describe(directory / "ca.pem", "pve-root-ca.pem"), served]

    async def realms(self, values: dict, user: str) -> list[dict]:
        return [{"realm": "pam", "type": "pam", "comment": "Linux PAM standard authentication"},
                {"realm": "pve", "type": "pve", "comment": "Proxmox VE authentication server"}]

    async def cluster_options(self, values: dict, user: str) -> dict:
        return {"keyboard": "en-us", "mac_prefix": "BC:24:11", **self.datacenter}

    async def cluster_tasks(self, values: dict, user: str) -> list[dict]:
        """What the nodes tell each other: all that runs, and the last that ended."""
        items = []
        for node in filter(self.is_online, sorted(self.nodes)):
            items += await self.task_list({"node": node, "source": "active", "limit": len(self.running)}, user)
            items += await self.task_list({"node": node, "source": "archive", "limit": ENDED_TASKS}, user)
        return sorted(items, key=lambda item: -item["starttime"])
