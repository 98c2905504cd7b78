"""What outlives the process: the whole model as one JSON file, replaced atomically after every change.

A lab that is killed loses nothing that was answered; workers that were running are found as after a node's crash.
"""

from __future__ import annotations

import asyncio
import json
import os
import time
from dataclasses import asdict
from pathlib import Path

from .access import AclEntry, Token
from .guests import LabVm
from .tasks import UNEXPECTED
from .volumes import Space

FORMAT = 2
# Changes are collected for so long, and for longer where saving takes its time (a fleet of hundreds).
SETTLE_SECONDS = 0.03
# Saving may take one part in so many of the time.
SAVE_SHARE = 50
VM_FIELDS = ("vmid", "node", "config", "pending", "status", "qmpstatus", "template", "pool", "snapshots", "started_at",
             "agent", "agent_hangs", "acpi", "shutdown_secs", "start_secs", "stop_secs", "start_error",
             "agent_after", "cloud_init", "generated", "special", "guest_memory")
PLAIN = ("nodes", "cluster_name", "version", "release_version", "quorate", "users", "user_info", "second_factors", "password", "mappings", "mapping_notes", "tickets",
         "ha_resources", "ha_services", "usb_mappings",
         "vnets", "datacenter", "own_certificate")


class StateStore:
    """Mixin: saving and loading."""

    def init_state(self) -> None:
        self._saved_text = ""
        self._save_handle: asyncio.TimerHandle | None = None
        self._save_took = 0.0

    def changed(self) -> None:
        """Something may have changed: save soon, once for many changes."""
        if self._save_handle is None:
            loop = asyncio.get_event_loop()
            self._save_handle = loop.call_later(max(SETTLE_SECONDS, SAVE_SHARE * self._save_took), self._save_later)

    def _save_later(self) -> None:
        self._save_handle = None
        self.save()

    def snapshot(self) -> dict:
        storages = {name: {**store, "files": sorted(store.get("files", ()))} for name, store in self.storages.items()}
        for store in storages.values():
            store.pop("volumes", None)
        return {
            "format": FORMAT, **{name: getattr(self, name) for name in PLAIN},
            "bridges": sorted(self.bridges), "expired": sorted(self.expired_tokens), "storages": storages,
            "volumes": self.dump_volumes(), "spaces": {k: asdict(v) for k, v in self.spaces.items()},
            "vms": [{f: getattr(vm, f) for f in VM_FIELDS} for vm in self.vms],
            "pools": {k: sorted(v) for k, v in self.pools.items()},
            "pool_info": {k: {**v, "storage": sorted(v["storage"])} for k, v in self.pool_info.items()},
            "roles": {k: sorted(v) for k, v in self.roles.items()},
            "acl": [asdict(e) for e in self.entries], "tokens": {k: asdict(v) for k, v in self.tokens.items()},
            "tasks": self.tasklog[-200:]}

    def save(self) -> None:
        started = time.monotonic()
        text = json.dumps(self.snapshot(), default=str)
        if text == self._saved_text:
            return
        target: Path = self.settings.state_file
        temporary = target.with_name(target.name + ".new")
        with open(temporary, "w", encoding="utf-8") as out:
            out.write(text)
        os.replace(temporary, target)
        self._saved_text = text
        self._save_took = time.monotonic() - started

    def load(self) -> bool:
        """Take up the state of an earlier run; False if there is none."""
        if not self.settings.state_file.exists():
            return False
        saved = json.loads(self.settings.state_file.read_text(encoding="utf-8"))
        if saved.get("format") != FORMAT:
            raise SystemExit(f"{self.settings.state_file} was written by another version of the lab. "
                             "Throw the old lab away: npm run lab:reset")
        for name in PLAIN:
            setattr(self, name, saved.get(name, getattr(self, name)))
        self.bridges = set(saved["bridges"])
        self.expired_tokens = set(saved["expired"])
        self.storages = {k: {**v, "files": set(v["files"])} for k, v in saved["storages"].items()}
        self.load_volumes(saved["volumes"])
        self.spaces = {k: Space(**v) for k, v in saved["spaces"].items()}
        for fields in saved["vms"]:
            vm = LabVm(fields["vmid"], fields["config"].get("name") or f"VM {fields['vmid']}", node=fields["node"])
            for name in VM_FIELDS:
                setattr(vm, name, fields.get(name))
            vm.born = time.monotonic() - 3600
            self.vms.append(vm)
        self.pools = {k: set(v) for k, v in saved["pools"].items()}
        self.pool_info = {k: {**v, "storage": set(v["storage"])} for k, v in saved["pool_info"].items()}
        self.roles = {k: set(v) for k, v in saved["roles"].items()}
        self.entries = [AclEntry(**e) for e in saved["acl"]]
        self.tokens = {k: Token(**v) for k, v in saved["tokens"].items()}
        for record in saved["tasks"]:
            if record["status"] == "running":
                record.update(status="stopped", exitstatus=UNEXPECTED, endtime=int(time.time()))
            self.tasks[record["upid"]] = record
            self.tasklog.append(record)
        return True
