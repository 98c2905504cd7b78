"""Clones and templates: what becomes of each volume, what the target looks like meanwhile, and who waits for whom."""

from __future__ import annotations

import asyncio
import copy
import time
import uuid
from contextlib import asynccontextmanager

from fakepve.model import PveError, TaskError, lock_timeout
from fakepve.qemu import with_mac
from fakepve.routing import die, param_error, split_list

from . import drives
from .disks import CLOUDINIT_SIZE
from .drives import Drive, one_of, split_volid
from .tasks import FAULT_SECONDS, Task

# Options that a clone does not take over.
NOT_COPIED = {"snapshots", "parent", "snaptime", "vmstate", "snapstate", "runningcpu", "runningmachine",
              "running-nets-host-mtu", "lock", "template", "digest"}
# Measured on a node with two cores: 20 linked clones take 33 s one at a time, 17 s four at a time, 15.5 s six at a time,
# and of 40 at once 12 fail; 10 full clones take 23.5 s one at a time, 12.2 s four at a time. What does not get faster
# is what a clone does under the datastore's lock: half of it for the first drive, half of it for all others.
LINKED_SECONDS, LINKED_LOCKED = 1.65, 0.73
FULL_SECONDS, FULL_LOCKED = 2.35, 1.2
# What a clone without drives takes: a worker and a config file.
BARE_SECONDS = 0.3
TEMPLATE_SECONDS = 0.5
# What an empty overlay takes on the datastore.
OVERLAY_BYTES = 397_312
READERS = "clones"
TEMPORARY = " qmclone temporary file"
# PVE seconds that a clone waits for the config lock of its source, and of the VM that it makes; and real ones for that of
# its source, at least: a machine under load holds it longer than a node would.
LOCK_WAIT = 1.0
LEAST_LOCK_WAIT = 0.2
# Real seconds of waiting where time stands still.
LONG_WAIT = 5.0
FAILED = "clone failed: "


class CloneApi:
    """Mixin: POST …/clone and …/template."""

    def _routes_lab_clones(self):
        one = "/nodes/{node}/qemu/{vmid}"
        return [("POST", one + "/clone", self.guest_clone), ("POST", one + "/template", self.guest_template)]

    def init_clones(self) -> None:
        # The workers that hold the lock of a VM that they are about to make: {vmid: UPID}.
        self.targets: dict[int, str] = {}

    @asynccontextmanager
    async def target_lock(self, newid: int, holder: str, wait: float = LOCK_WAIT):
        """The config lock of a VM that is about to be made."""
        deadline = time.monotonic() + (wait * self.time_scale or LONG_WAIT)
        while newid in self.targets or getattr(self.vm(newid), "lock_holder", None) is not None:
            if time.monotonic() > deadline:
                raise TaskError(lock_timeout(newid))
            await asyncio.sleep(0.005)
        self.targets[newid] = holder
        try:
            yield
        finally:
            self.targets.pop(newid, None)
            vm = self.vm(newid)
            if vm is not None:
                self.release(vm, holder)

    @asynccontextmanager
    async def shared_lock(self, vm):
        """The source of clones: other clones may read it too, nobody may change it."""
        deadline = time.monotonic() + max(LOCK_WAIT * self.time_scale, LEAST_LOCK_WAIT)
        while vm.lock_holder not in (None, READERS):
            if time.monotonic() > deadline:
                raise TaskError(lock_timeout(vm.vmid))
            await asyncio.sleep(0.005)
        vm.lock_holder = READERS
        vm.readers = getattr(vm, "readers", 0) + 1
        try:
            yield
        finally:
            vm.readers -= 1
            if vm.readers == 0:
                self.release(vm, READERS)

    # ---------------------------------------------------------------- clone

    @staticmethod
    def _cloned_config(values: dict, source) -> dict:
        """The config that is cloned: the VM's, or a snapshot's."""
        name = values.get("snapname")
        if name and name not in source.snapshots:
            raise die(f"snapshot '{name}' does not exist")
        return source.snapshots[name] if name else source.config

    def _clone_checks(self, values: dict, user: str, source) -> tuple[bool, list[Drive]]:
        """What is refused before any worker starts, in PVE's order: (full, drives to copy)."""
        node, newid, storage = values["node"], int(values["newid"]), values.get("storage")
        target = values.get("target") if values.get("target") != node else None
        if storage:
            self._clone_storage(storage, target)
        self.need_quorum()
        if source.config.get("lock"):
            raise die(f"VM is locked ({source.config['lock']})")
        cloned = self._cloned_config(values, source)
        full = bool(values["full"]) if values.get("full") is not None else not source.config.get("template")
        for name in ("storage", "format"):
            if values.get(name) and not full:
                raise die(f"parameter '{name}' not allowed for linked clones")
        copies = [d for d in drives.of_config(cloned) if d.is_cloudinit or not d.is_cdrom]
        for drive in copies:
            if drive.storage not in self.storages:
                raise die(f"storage '{drive.storage}' does not exist")
            if not drive.is_cloudinit:
                self.require(user, f"/storage/{storage or drive.storage}", "Datastore.AllocateSpace")
        self.check_mappings(user, cloned)
        self.check_networks(user, cloned)
        used = {drive.storage for drive in drives.of_config(cloned)} - {None}
        if target and not all(self.is_shared(name) for name in used):
            raise die(f"can't clone VM to node '{target}' (VM uses local storage)")
        if self.vm(newid) is not None:
            raise die(f"unable to create VM {newid}: config file already exists")
        for drive in copies:
            self._clone_feature(values, source, full, drive)
        return full, copies

    def _clone_storage(self, storage: str, target: str | None) -> None:
        """A clone on another node needs a datastore that is seen from there."""
        self._store(storage)
        if "images" not in split_list(self.storages[storage].get("content")):
            raise param_error(storage=f"storage '{storage}' does not support vm images")
        if target:
            self._check_enabled(storage, target)
            if not self.is_shared(storage):
                raise die(f"can't clone to non-shared storage '{storage}'")

    def _clone_feature(self, values: dict, source, full: bool, drive: Drive) -> None:
        if drive.key == "tpmstate0" and full and source.status == "running" and not values.get("snapname"):
            raise die("cannot clone TPM state while VM is running")
        if self._is_linked(full, drive) and "base-" not in drive.volume.rsplit("/", 1)[-1]:
            raise die(f"Linked clone feature is not supported for '{drive.volume}' ({drive.key})")
        self.storage_for_images(values.get("storage") or drive.storage, values["node"])

    async def guest_clone(self, values: dict, user: str, *, owner: str | None = None) -> str:
        """`owner`: whose task it is, where that is not the user whose rights are looked at."""
        node, vmid, newid, pool = values["node"], int(values["vmid"]), int(values["newid"]), values.get("pool")
        self._qm_check_pool(pool)
        target = values.get("target")
        if target and target not in self.nodes:
            raise die(f"no such cluster node '{target}'")
        source = self.vm(vmid)
        if source is None or source.node != node:
            raise die(f"unable to find configuration file for VM {vmid} on node '{node}'")
        self._clone_checks(values, user, source)

        async def body(task: Task) -> None:
            if task.fault and not task.fault.startswith(FAILED):
                # It does not get as far as its locks.
                raise task.failure()
            async with self.shared_lock(source), self.target_lock(newid, task.upid):
                full, copies = self._clone_checks(values, user, source)
                task.log(f"creating a clone of VM {vmid} with ID {newid}")
                new = self.new_vm(newid, node)
                new.lock_holder = task.upid
                new.config = {"lock": "clone", "description": TEMPORARY}
                await self._fill_clone(new, values, source, full, copies, task)
                new.node = target or node
                if pool:
                    self._pool_join(pool, newid)
                    self.forget_rights()
        return await self.start_task(node, "qmclone", vmid, owner or user, body, target=newid, own_faults=True)

    async def _fill_clone(self, new, values: dict, source, full: bool, copies: list[Drive], task: Task) -> None:
        """A failure takes everything away again; a worker that is killed leaves config, lock and volumes as they are."""
        made: list[str] = []
        try:
            await self._clone_config(new, values, source, full, copies, task, made)
        except (PveError, TaskError) as error:
            self._forget(new, made)
            raise TaskError(FAILED + str(getattr(error, "message", None) or error).removeprefix(FAILED)) from error
        except asyncio.CancelledError:
            if not task.aborted:
                raise
            self._forget(new, made)
            raise TaskError(FAILED + "interrupted by signal") from None
        new.name = new.config["name"]
        # What is on the disk is copied, cloud-init's memory of its instances too.
        new.guest_memory = copy.deepcopy(source.guest_memory)

    async def _clone_config(self, new, values: dict, source, full: bool, copies: list[Drive], task: Task,
                            made: list[str]) -> None:
        newid = new.vmid
        if source.pending and not values.get("snapname"):
            task.log(f"found pending changes for '{','.join(sorted(source.pending))}', discarding for clone")
        config = {k: v for k, v in self._cloned_config(values, source).items()
                  if k not in NOT_COPIED and not drives.UNUSED.match(k)}
        for key in config:
            if one_of(key, "net"):
                config[key] = with_mac(config[key], fresh=True)
        seconds, locked = (FULL_SECONDS, FULL_LOCKED) if full else (LINKED_SECONDS, LINKED_LOCKED)
        if len(copies) == 1:
            # Half of what a clone with the drives of a whole VM takes.
            seconds, locked = seconds / 2, locked / 2
        held = [locked / 2] + [locked / 2 / (len(copies) - 1)] * (len(copies) - 1) if len(copies) > 1 else [locked]
        config["name"] = values.get("name") or f"Copy-of-VM-{source.config.get('name') or source.vmid}"
        if values.get("description"):
            config["description"] = values["description"]
        smbios = [p for p in str(config.get("smbios1", "")).split(",") if p and not p.startswith("uuid=")]
        config["smbios1"] = ",".join(sorted([*smbios, f"uuid={uuid.uuid4()}"]))
        if config.get("vmgenid"):
            config["vmgenid"] = str(uuid.uuid4())
        for drive in copies:
            config.pop(drive.key)
        if task.fault is not None:
            await self.pause(FAULT_SECONDS)
            raise task.failure()
        await self.pause(seconds - locked if copies else BARE_SECONDS)
        for drive, under_lock in zip(copies, held):
            how = "linked" if self._is_linked(full, drive) else "full"
            task.log(f"create {how} clone of drive {drive.key} ({drive.volume})")
            async with self.storage_lock({values.get("storage") or drive.storage}, source.node):
                await self.pause(under_lock)
                volid = self._allocate_copy(values, source, newid, full, drive, task, made)
            await task.hold()
            volume = self.volume(volid, source.node)
            if not drive.is_cloudinit and not self._is_linked(full, drive):
                await self._copy_content(values, source, drive, volid, task)
            options = dict(drive.options)
            options["size"] = drives.format_size(volume.size)
            config[drive.key] = str(Drive(drive.key, volid, options))
            # Written after every drive, still locked.
            new.config = {**config, "lock": "clone"}
        if not copies:
            await task.hold()
        new.config = config

    @staticmethod
    def _is_linked(full: bool, drive: Drive) -> bool:
        """The TPM's state and the cloud-init drive are copied whole even in a linked clone."""
        return not full and not drive.is_cloudinit and not drive.key.startswith("tpmstate")

    def _allocate_copy(self, values: dict, source, newid: int, full: bool, drive: Drive, task: Task,
                       made: list[str]) -> str:
        node, storage = source.node, values.get("storage") or drive.storage
        volume = self.volume(drive.volume, node)
        if volume is None:
            raise die(f"volume '{drive.volume}' does not exist")
        if self._is_linked(full, drive):
            base = "/".join(split_volid(drive.volume)[1].split("/")[-2:])
            number = self.free_name(storage, node, newid)
            if self.is_dir(storage):
                volid = self.allocate(storage, node, newid, volume.size, "qcow2", name=f"vm-{newid}-disk-{number}",
                                      data=OVERLAY_BYTES, parent=base)
                short = f"vm-{newid}-disk-{number}.qcow2"
                task.log(f"clone {split_volid(drive.volume)[1]}: images, {short}, {newid} to {short} (base=../{base})")
                how = "off" if volume.format == "raw" else "metadata"
                task.log(f"Formatting '{self.volume_path(volid)}', fmt=qcow2 cluster_size=131072 extended_l2=on "
                         f"preallocation={how} compression_type=zlib size={volume.size} backing_file=../{base} "
                         f"backing_fmt={volume.format} lazy_refcounts=off refcount_bits=16")
            else:
                self.check_thin_room(storage, node, f"clone image '{self.volume_group(storage)}/{base}' error")
                volid = self.allocate(storage, node, newid, volume.size, "raw", name=f"vm-{newid}-disk-{number}")
                task.log(f'  Logical volume "vm-{newid}-disk-{number}" created.')
            made.append(volid)
            return volid
        fmt = volume.format if self.is_dir(storage) else "raw"
        if values.get("format") and not drive.is_cloudinit and one_of(drive.key, "ide", "sata", "scsi", "virtio"):
            fmt = values["format"]
        if drive.is_cloudinit:
            fmt = "qcow2" if self.is_dir(storage) else "raw"
            volid = self.allocate(storage, node, newid, CLOUDINIT_SIZE, fmt, name=f"vm-{newid}-cloudinit")
        else:
            volid = self.allocate(storage, node, newid, volume.size, fmt)
        made.append(volid)
        self.log_formatting(task, volid, node)
        task.log(f"allocated target volume '{volid}'")
        return volid

    async def _copy_content(self, values: dict, source, drive: Drive, volid: str, task: Task) -> None:
        """What qemu-img copies into the new volume; it finds out on the way that there is no room."""
        volume, target = self.volume(drive.volume, source.node), self.volume(volid, source.node)
        storage, name = split_volid(volid)
        _, _, room = self.space(storage, source.node)
        if volume.used > room:
            await self.copy_data(room, values.get("bwlimit"))
            task.log(f"qemu-img: error while writing at byte {room}: No space left on device")
            raise TaskError(f"copy failed: command '/usr/bin/qemu-img convert -p -n -f {volume.format} "
                            f"-O {target.format} {self.volume_path(drive.volume)} zeroinit:{self.volume_path(volid)}' "
                            "failed: exit code 1")
        self.volumes_of(storage, source.node).set_used(name, max(target.used, volume.used))
        try:
            shown = None if drive.key.startswith("efidisk") else task
            await self.copy_data(volume.used, values.get("bwlimit"), volume.size, shown)
        except asyncio.CancelledError:
            if not task.aborted or drive.key.startswith("efidisk"):
                raise
            limit = f"-r {values['bwlimit']}K " if values.get("bwlimit") else ""
            raise TaskError(f"copy failed: command '/usr/bin/qemu-img convert -p -n {limit}-f {volume.format} "
                            f"-O {target.format} {self.volume_path(drive.volume)} zeroinit:{self.volume_path(volid)}' "
                            "failed: interrupted by signal") from None
        if not drive.key.startswith("efidisk"):
            shown = drives.human_size(volume.size)
            task.log(f"transferred {shown} of {shown} (100.00%)")

    # ------------------------------------------------------------- template

    async def guest_template(self, values: dict, user: str) -> str:
        node, vmid, disk = values["node"], int(values["vmid"]), values.get("disk")
        vm = self.find(node, vmid)
        if vm.config.get("lock"):
            raise die(f"VM is locked ({vm.config['lock']})")
        self._template_checks(vm, disk)
        self.need_quorum()

        async def body(task: Task) -> None:
            async with self.config_lock(vm, task.upid, task.log):
                self._template_checks(vm, disk)
                vm.config["template"] = 1
                vm.template = True
                stores = {d.storage for d in drives.of_config(vm.config) if d.storage in self.storages}
                async with self.storage_lock(stores, vm.node):
                    await self.pause(TEMPLATE_SECONDS)
                    for drive in drives.of_config(vm.config):
                        if not drive.is_cdrom and disk in (None, drive.key):
                            drive.volume = self.make_base(drive.volume, node)
                            vm.config[drive.key] = str(drive)
        return await self.start_task(node, "qmtemplate", vmid, user, body)

    @staticmethod
    def _template_checks(vm, disk: str | None) -> None:
        if vm.snapshots:
            raise die("unable to create template, because VM contains snapshots")
        if vm.config.get("template") and not disk:
            raise die("you can't convert a template to a template")
        if vm.status == "running":
            raise die("you can't convert a VM to template if VM is running")

