"""Cloud-init as PVE generates it: what `cloudinit/dump` shows, and the drive that start makes anew."""

from __future__ import annotations

import hashlib
import ipaddress
import re
import secrets
import urllib.parse

from fakepve.routing import die

from . import drives
from .drives import one_of

KEYS = ("cicustom", "cipassword", "ciupgrade", "ciuser", "nameserver", "searchdomain", "sshkeys")


def _pairs(text: str) -> dict[str, str]:
    return dict(part.split("=", 1) for part in str(text).split(",") if "=" in part)


def of_drive(key: str) -> bool:
    """True for the options that the cloud-init drive is written from."""
    return key in KEYS or key in ("name", "citype") or one_of(key, "ipconfig", "net")


class CloudInitApi:
    """Mixin: …/cloudinit and …/cloudinit/dump."""

    def _routes_lab_cloudinit(self):
        one = "/nodes/{node}/qemu/{vmid}/cloudinit"
        return [("GET", one, self.cloudinit_pending), ("PUT", one, self.cloudinit_update),
                ("GET", one + "/dump", self.cloudinit_dump)]

    def snippets_of(self, config: dict) -> list[str]:
        """The volume ids that `cicustom` names."""
        return [value for value in _pairs(config.get("cicustom", "")).values()]

    def cloudinit_drive(self, config: dict) -> drives.Drive | None:
        return next((d for d in drives.of_config(config) if d.is_cloudinit), None)

    def check_snippets(self, vm) -> None:
        """A snippet that is named but not there stops the start (and nothing before it does)."""
        for volid in self.snippets_of(vm.config):
            if drives.split_volid(volid)[0] not in self.storages:
                raise die(f"storage '{drives.split_volid(volid)[0]}' does not exist")
            if self.file_of(volid, vm.node) is None:
                raise die(f"volume '{volid}' does not exist")

    async def cloudinit_pending(self, values: dict, user: str) -> list[dict]:
        """What is on the drive, and how the config differs: for the guest it is pending, though the config has it."""
        vm = self.find(values["node"], values["vmid"])
        now = {k: v for k, v in vm.config.items() if of_drive(k)}
        drive = now if vm.generated is None else vm.generated
        changed = {k for k in {*now, *drive} if now.get(k) != drive.get(k)}
        items = []
        for key in sorted(changed | {k for k in KEYS if k in now}):
            item = {"key": key}
            if key in drive:
                item["value"] = self.masked(drive)[key]
            if key in changed:
                item.update({"pending": self.masked(now)[key]} if key in now else {"delete": 1})
            items.append(item)
        return items

    def generate_cloudinit(self, vm) -> None:
        """Write the drive."""
        vm.generated = {k: v for k, v in vm.config.items() if of_drive(k)} if self.cloudinit_drive(vm.config) else None

    async def cloudinit_update(self, values: dict, user: str) -> None:
        vm = self.find(values["node"], values["vmid"])
        if self.cloudinit_drive(vm.config):
            self.check_snippets(vm)
            self.generate_cloudinit(vm)

    async def cloudinit_dump(self, values: dict, user: str) -> str:
        vm = self.find(values["node"], values["vmid"])
        config = self.merged(vm)
        return {"user": self._user_data, "network": self._network_data, "meta": self._meta_data}[values["type"]](
            vm, config)

    def _user_data(self, vm, config: dict) -> str:
        name = config.get("name") or f"VM{vm.vmid}"
        lines = ["#cloud-config", f"hostname: {name}", "manage_etc_hosts: true"]
        if config.get("searchdomain"):
            lines.append(f"fqdn: {name}.{config['searchdomain']}")
        if config.get("ciuser"):
            lines.append(f"user: {config['ciuser']}")
        if config.get("cipassword"):
            lines.append(f"password: $5${secrets.token_hex(4)}${secrets.token_urlsafe(32)}")
        keys = [k for k in urllib.parse.unquote(str(config.get("sshkeys", ""))).splitlines() if k.strip()]
        if keys:
            lines.append("ssh_authorized_keys:")
            lines += [f"  - {key}" for key in keys]
        lines += ["chpasswd:", "  expire: False"]
        if config.get("ciuser", "root") != "root":
            lines += ["users:", "  - default"]
        lines.append(f"package_upgrade: {'false' if config.get('ciupgrade') == 0 else 'true'}")
        return "\n".join(lines) + "\n"

    def _network_data(self, vm, config: dict) -> str:
        lines = ["version: 1", "config:"]
        for number in range(32):
            net, ip = config.get(f"net{number}"), _pairs(config.get(f"ipconfig{number}", ""))
            if not net:
                continue
            mac = re.search(r"(?:[0-9A-Fa-f]{2}:){5}[0-9A-Fa-f]{2}", net)
            lines += ["    - type: physical", f"      name: eth{number}",
                      f"      mac_address: '{mac.group(0).lower() if mac else ''}'"]
            subnets = []
            if ip.get("ip") == "dhcp":
                subnets.append(["      - type: dhcp4"])
            elif ip.get("ip"):
                address = ipaddress.ip_interface(ip["ip"])
                subnets.append(["      - type: static", f"        address: '{address.ip}'",
                                f"        netmask: '{address.netmask}'"]
                               + ([f"        gateway: '{ip['gw']}'"] if ip.get("gw") else []))
            if ip.get("ip6") in ("dhcp", "auto"):
                kind = "dhcp6" if ip["ip6"] == "dhcp" else "ipv6_slaac"
                subnets.append([f"      - type: {kind}"])
            elif ip.get("ip6"):
                subnets.append(["      - type: static6", f"        address: '{ip['ip6']}'"]
                               + ([f"        gateway: '{ip['gw6']}'"] if ip.get("gw6") else []))
            if subnets:
                lines.append("      subnets:")
                for subnet in subnets:
                    lines += subnet
        servers = str(config.get("nameserver", "")).split()
        if servers or config.get("searchdomain"):
            lines.append("    - type: nameserver")
            lines.append("      address:")
            lines += [f"      - '{server}'" for server in servers]
            if config.get("searchdomain"):
                lines += ["      search:", f"      - '{config['searchdomain']}'"]
        return "\n".join(lines) + "\n"

    def _meta_data(self, vm, config: dict) -> str:
        both = self._user_data(vm, {**config, "cipassword": None}) + self._network_data(vm, config)
        return f"instance-id: {hashlib.sha1(both.encode()).hexdigest()}\n"
