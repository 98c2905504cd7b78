"""The texts on a cloud-init drive as PVE writes them, and what cloud-init reads out of them. Nothing here knows a VM."""

from __future__ import annotations

import base64
import binascii
import hashlib
import ipaddress
import json
import re
import urllib.parse

# The name server of the node's own resolv.conf: what a guest gets whose config names none.
NODE_DNS = "10.0.0.1"
MAC = re.compile(r"(?:[0-9A-Fa-f]{2}:){5}[0-9A-Fa-f]{2}")
# Long names of what a `ds=nocloud` line says in short.
SHORT = {"h": "local-hostname", "i": "instance-id", "s": "seedfrom"}


def pairs(text) -> dict[str, str]:
    """`a=1,b=2` as a dict."""
    return dict(part.split("=", 1) for part in str(text).split(",") if "=" in part)


# ------------------------------------------------------------------ written


def crypted(password: str) -> str:
    """A password as PVE keeps it; the same one always looks the same."""
    return password if password.startswith("$") else "$5$" + hashlib.sha256(password.encode()).hexdigest()


def user_data(config: dict, vmid: int, *, masked: bool = False) -> str:
    name, domain = str(config.get("name") or f"VM{vmid}"), config.get("searchdomain")
    fqdn = f"{name}.{domain}" if domain and "." not in name else name
    lines = ["#cloud-config", f"hostname: {name.partition('.')[0]}", "manage_etc_hosts: true", f"fqdn: {fqdn}"]
    if config.get("ciuser") is not None:
        lines.append(f"user: {config['ciuser']}")
        if config["ciuser"] == "root":
            lines.append("disable_root: False")
    if config.get("cipassword") is not None:
        lines.append(f"password: {'**********' if masked else crypted(str(config['cipassword']))}")
    if config.get("sshkeys") is not None:
        lines.append("ssh_authorized_keys:")
        keys = urllib.parse.unquote(str(config["sshkeys"])).splitlines()
        lines += [f"  - {key}" for key in keys if key.strip()]
    lines += ["chpasswd:", "  expire: False"]
    if config.get("ciuser") != "root":
        lines += ["users:", "  - default"]
    if config.get("ciupgrade") not in (0, "0"):
        lines.append("package_upgrade: true")
    return "\n".join(lines) + "\n"


def _subnets(ip: dict[str, str]) -> list[str]:
    if not ip.get("ip") and not ip.get("ip6"):
        ip = {"ip": "dhcp", "ip6": "dhcp"}
    lines = []
    if ip.get("ip") == "dhcp":
        lines.append("- type: dhcp4")
    elif ip.get("ip"):
        address = ipaddress.ip_interface(ip["ip"])
        lines += ["- type: static", f"  address: '{address.ip}'", f"  netmask: '{address.netmask}'"]
        lines += [f"  gateway: '{ip['gw']}'"] if ip.get("gw") else []
    if ip.get("ip6") in ("dhcp", "auto"):
        lines.append(f"- type: {'dhcp6' if ip['ip6'] == 'dhcp' else 'ipv6_slaac'}")
    elif ip.get("ip6"):
        lines += ["- type: static6", f"  address: '{ip['ip6']}'"]
        lines += [f"  gateway: '{ip['gw6']}'"] if ip.get("gw6") else []
    return lines


def network_data(config: dict) -> str:
    """A NIC without `ipconfigN` is not in it."""
    lines = ["version: 1", "config:"]
    for number in sorted(range(32), key=str):
        net, ip = config.get(f"net{number}"), config.get(f"ipconfig{number}")
        if not net or not ip:
            continue
        mac = MAC.search(str(net))
        lines += ["    - type: physical", f"      name: eth{number}",
                  f"      mac_address: '{mac.group(0).lower() if mac else ''}'", "      subnets:"]
        lines += ["      " + line for line in _subnets(pairs(ip))]
    lines += ["    - type: nameserver", "      address:"]
    lines += [f"      - '{server}'" for server in str(config.get("nameserver") or NODE_DNS).split()]
    domains = str(config.get("searchdomain", "")).split()
    lines += ["      search:", *(f"      - '{domain}'" for domain in domains)] if domains else []
    return "\n".join(lines) + "\n"


def meta_data(user: str, network: str) -> str:
    """The instance-id is a hash of the rest: whatever changes there makes a new instance of the guest."""
    return f"instance-id: {hashlib.sha1((user + network).encode()).hexdigest()}\n"


# --------------------------------------------------------------------- read


def top_level(text: str, key: str) -> str | None:
    """A plain value at the top of a YAML text."""
    found = re.search(rf"^{re.escape(key)}:[ \t]*([^\s#]+)", text, re.MULTILINE)
    return found.group(1).strip("'\"") if found else None


def listed(text: str, key: str) -> list[str]:
    """The texts of a list at the top of a YAML text, in block style."""
    block = re.search(rf"^{re.escape(key)}:[ \t]*\n((?:[ \t]*-[ \t]+.*\n?)*)", text, re.MULTILINE)
    items = re.findall(r"^[ \t]*-[ \t]+(.*?)[ \t]*$", block.group(1), re.MULTILINE) if block else []
    return [json.loads(item) if item.startswith('"') else item.strip("'") for item in items]


def network_events(text: str) -> list[str] | None:
    """`updates: {network: {when: […]}}` of a cloud-config, in block or flow style; None if it is not said."""
    block = re.search(r"^updates:.*\n?(?:(?:[ \t#].*)?\n?)*", text, re.MULTILINE)
    when = re.search(r"network['\"]?:[\s{]*when['\"]?:\s*(\[[^\]]*\]|(?:\s*-[ \t]+\S+)+)", block.group(0)) if block else None
    return re.findall(r"[a-z]+(?:-[a-z]+)*", when.group(1)) if when else None


def serial_data(config: dict) -> dict[str, str]:
    """What cloud-init's NoCloud takes from the SMBIOS serial number, if it says `ds=nocloud`."""
    smbios = pairs(config.get("smbios1", ""))
    serial = smbios.get("serial", "")
    if smbios.get("base64") == "1":
        try:
            serial = base64.b64decode(serial).decode()
        except (binascii.Error, UnicodeDecodeError):
            return {}
    words = [word for word in serial.split() if re.match(r"ds=nocloud(?:-net)?(?:;|$)", word)]
    if not words:
        return {}
    found = dict(part.partition("=")[::2] for part in words[-1].split(";")[1:] if part)
    return {"source": "serial", **{SHORT.get(key, key): value for key, value in found.items()}}
