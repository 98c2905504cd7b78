"""What a guest's cloud-init makes of its drive at boot, and what the guest has from then on.

As cloud-init's stages.py and DataSourceNoCloud.py do it: a guest that finds another instance-id than at its last boot is
a new instance and takes everything. With the same one it takes its host name, and the network only if what it was told at
its last boot says so (`updates: {network: {when: [boot]}}`). What the SMBIOS serial says wins over the drive's meta-data.
"""

from __future__ import annotations

import copy
import re
import time

from . import clouddata
from .drives import one_of

NETWORK = re.compile(r"^(?:net\d+|ipconfig\d+|nameserver|searchdomain)$")
NO_INSTANCE_ID = "nocloud"


def of_drive(key: str) -> bool:
    """True for the options that the cloud-init drive is written from."""
    return key in ("cicustom", "cipassword", "citype", "ciuser", "ciupgrade", "nameserver", "searchdomain", "sshkeys",
                   "name") or one_of(key, "ipconfig", "net")


class BootApi:
    """Mixin: the drive's content, and the guest's own memory."""

    def generate_cloudinit(self, vm) -> None:
        """Write the drive, if there is one: the config's changes are no longer pending."""
        vm.special = {}
        if self.cloudinit_drive(vm.config) is None:
            vm.generated = None
            return
        custom = {kind: self._snippet(volid, vm.node)
                  for kind, volid in clouddata.pairs(vm.config.get("cicustom", "")).items()}
        user = custom.get("user", clouddata.user_data(vm.config, vm.vmid))
        meta = custom.get("meta") or clouddata.meta_data(user, custom.get("network", clouddata.network_data(vm.config)))
        vendor = custom.get("vendor", "")
        fqdn = clouddata.top_level(user, "fqdn") or clouddata.top_level(vendor, "fqdn")
        vm.generated = {
            "config": {k: v for k, v in vm.config.items() if of_drive(k)},
            "instanceId": clouddata.top_level(meta, "instance-id"),
            "localHostname": clouddata.top_level(meta, "local-hostname"),
            "hostname": clouddata.top_level(user, "hostname") or clouddata.top_level(vendor, "hostname")
            or (fqdn and fqdn.partition(".")[0]),
            "user": clouddata.top_level(user, "user"), "keys": clouddata.listed(user, "ssh_authorized_keys"),
            # User-data wins over vendor-data.
            "networkWhen": clouddata.network_events(user) or clouddata.network_events(vendor) or []}

    def _snippet(self, volid: str, node: str) -> str:
        path = self.file_of(volid, node)
        return path.read_text(errors="replace") if path else ""

    def guest_boots(self, vm) -> None:
        """The guest comes up and reads its drive as it was last written."""
        vm.started_at = time.time()
        drive, serial = vm.generated or {}, clouddata.serial_data(vm.config)
        config = drive.get("config", vm.config)
        network = {k: v for k, v in config.items() if NETWORK.match(k)}
        before = vm.guest_memory or {"boots": 0, "seen": [], "instanceId": None, "network": {}, "networkWhen": []}
        now = copy.deepcopy(before)
        now["boots"] += 1
        if not drive and not serial:
            # Nothing for cloud-init: the guest is taken to be set up by hand, as its config says.
            vm.guest_memory = {**now, "instanceId": None, "network": network, "name": None}
            return
        now["instanceId"] = serial.get("instance-id") or drive.get("instanceId") or NO_INSTANCE_ID
        is_new = now["instanceId"] != before["instanceId"]
        if now["instanceId"] not in now["seen"]:
            # Per-instance modules leave their marks by instance-id, and never run twice for one.
            now["seen"].append(now["instanceId"])
            self._first_boot_keys(now, drive.get("user"), drive.get("keys", []))
        if is_new or "boot" in before["networkWhen"]:
            now["network"] = network
        now["networkWhen"] = drive.get("networkWhen", [])
        now["name"] = drive.get("hostname") or serial.get("local-hostname") or drive.get("localHostname")
        vm.guest_memory = now

    @staticmethod
    def _first_boot_keys(guest: dict, user: str | None, keys: list[str]) -> None:
        """As cloud-init's ssh_util.py: keys are added to those that are there, once for each instance."""
        if user is None:
            return
        there = guest.setdefault("keys", {})
        had = there.get(user, "").splitlines()
        there[user] = "".join(f"{line}\n" for line in [*had, *(key for key in keys if key not in had)])

    @staticmethod
    def guest_view(vm) -> dict | None:
        """What the guest has since it last booted; None if it never did."""
        guest = vm.guest_memory
        if guest is None:
            return None
        network = guest["network"]
        return {"instanceId": guest["instanceId"], "instances": len(guest["seen"]), "boots": guest["boots"],
                "name": guest["name"], "keys": {user: text.splitlines() for user, text in guest.get("keys", {}).items()},
                "nameserver": network.get("nameserver"),
                "searchdomain": network.get("searchdomain"),
                "ipconfigs": {k: v for k, v in sorted(network.items()) if k.startswith("ipconfig")}}
