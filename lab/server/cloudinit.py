"""…/cloudinit: what the drive was written from and what differs by now, writing it anew, and what would be on it."""

from __future__ import annotations

from fakepve.routing import die, split_list

from . import clouddata, drives
from .boot import of_drive
from .checks import CLOUDINIT_OPTIONS


class CloudInitApi:
    """Mixin: …/cloudinit and …/cloudinit/dump."""

    def _routes_lab_cloudinit(self):
        one = "/nodes/{node}/qemu/{vmid}/cloudinit"
        return [("GET", one, self.cloudinit_pending), ("PUT", one, self.cloudinit_update),
                ("GET", one + "/dump", self.cloudinit_dump)]

    def snippets_of(self, config: dict) -> list[str]:
        """The volume ids that `cicustom` names."""
        return list(clouddata.pairs(config.get("cicustom", "")).values())

    def cloudinit_drive(self, config: dict) -> drives.Drive | None:
        return next((d for d in drives.of_config(config) if d.is_cloudinit), None)

    def check_snippets(self, vm) -> None:
        """A snippet that is named but not there stops the start (and nothing before it does)."""
        for volid in self.snippets_of(vm.config):
            if drives.split_volid(volid)[0] not in self.storages:
                raise die(f"storage '{drives.split_volid(volid)[0]}' does not exist")
            if self.file_of(volid, vm.node) is None:
                raise die(f"volume '{volid}' does not exist")

    def record_cloudinit(self, vm, key: str, old, new) -> None:
        """`[special:cloudinit]` of the config file: what the drive has, where a running VM's config was changed since."""
        if not of_drive(key) or self.cloudinit_drive(vm.config) is None:
            return
        was, added = dict(vm.special.get("was", {})), set(vm.special.get("added", ()))
        if new is not None and key in was:
            if new == was[key]:
                del was[key]
        elif new is not None and old is None:
            added.add(key)
        elif key in added:
            if new is None:
                added.discard(key)
        elif old is not None and key not in was:
            was[key] = old
        vm.special = {"was": was, "added": sorted(added)} if was or added else {}

    def hotplug_cloudinit(self, vm) -> None:
        """With `hotplug: cloudinit` the drive of a running VM follows at once; the guest reads it when it boots."""
        if vm.special and vm.status == "running" and "cloudinit" in split_list(vm.config.get("hotplug")):
            self.check_snippets(vm)
            self.generate_cloudinit(vm)

    async def cloudinit_pending(self, values: dict, user: str) -> list[dict]:
        """PVE's own list: of a value that was changed it knows its `$cloudinitoptions` alone, so never `ipconfigN`."""
        vm = self.find(values["node"], values["vmid"])
        now, was, added = self.masked(vm.config), self.masked(vm.special.get("was", {})), vm.special.get("added", [])

        def given(value) -> bool:
            return value not in (None, "", 0, "0")
        items = [{"key": key, "pending": now.get(key)} for key in added]
        for key in CLOUDINIT_OPTIONS:
            if given(now.get(key)) and key not in ",".join(added):
                both = given(was.get(key))
                items.append({"key": key, "value": was[key], "pending": now[key]} if both else
                             {"key": key, "value": now[key]})
        items += [{"key": key, "delete": 1} for key in was if not given(now.get(key))]
        return sorted(items, key=lambda item: item["key"])

    async def cloudinit_update(self, values: dict, user: str) -> None:
        vm = self.find(values["node"], values["vmid"])
        async with self.config_lock(vm, "cloudinit"):
            if vm.config.get("lock"):
                raise die(f"VM is locked ({vm.config['lock']})")
            if self.cloudinit_drive(vm.config):
                self.check_snippets(vm)
                self.generate_cloudinit(vm)

    async def cloudinit_dump(self, values: dict, user: str) -> str:
        """What PVE would generate, even where a snippet replaces it."""
        vm = self.find(values["node"], values["vmid"])
        if values["type"] == "network":
            return clouddata.network_data(vm.config)
        masked = not self.allowed(user, f"/vms/{vm.vmid}", "VM.Config.Cloudinit")
        if values["type"] == "user":
            return clouddata.user_data(vm.config, vm.vmid, masked=masked)
        return clouddata.meta_data(clouddata.user_data(vm.config, vm.vmid), clouddata.network_data(vm.config))
