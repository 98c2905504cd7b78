"""Locks that clients meet: the config lock of a VM and the lock of a datastore.

One worker at a time allocates on a datastore. The others wait ten seconds for its lock and then fail inside their
task: `clones.py` says how long a clone holds it, so that as many of a crowd fail as did on a real node.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager

from fakepve.model import TaskError

STORAGE_SLOTS = 1
STORAGE_WAIT = 10.0
# The least real time that a waiter gets: a scaled-down wait must not be shorter than the machine's own hiccups.
LEAST_WAIT = 0.05


class StorageLocks:
    """Slots per datastore, handed out in the order of asking."""

    def __init__(self) -> None:
        self.slots = STORAGE_SLOTS
        self.wait = STORAGE_WAIT
        self.holders: dict[str, int] = {}
        self.queues: dict[str, list[asyncio.Future]] = {}

    async def acquire(self, storage: str, seconds: float) -> bool:
        """Take a slot within so many real seconds; False if there was none."""
        if self.holders.get(storage, 0) < self.slots:
            self.holders[storage] = self.holders.get(storage, 0) + 1
            return True
        turn: asyncio.Future = asyncio.get_running_loop().create_future()
        queue = self.queues.setdefault(storage, [])
        queue.append(turn)
        try:
            await asyncio.wait_for(asyncio.shield(turn), seconds)
            return True
        except asyncio.TimeoutError:
            if turn.done():
                return True
            return False
        except asyncio.CancelledError:
            if turn.done():
                self.release(storage)
            raise
        finally:
            if turn in queue:
                queue.remove(turn)
            if not turn.done():
                turn.cancel()

    def release(self, storage: str) -> None:
        """Give a slot back: to the next in the queue, or free."""
        queue = self.queues.get(storage, [])
        while queue:
            turn = queue.pop(0)
            if not turn.done():
                turn.set_result(None)
                return
        self.holders[storage] = max(0, self.holders.get(storage, 0) - 1)


class Locking:
    """Mixin: what the API's workers call."""

    def init_locks(self) -> None:
        self.storage_locks = StorageLocks()

    def real_wait(self, seconds: float) -> float:
        """PVE seconds of waiting in real ones; where time stands still, nobody holds a lock for long."""
        return max(seconds * self.time_scale, LEAST_WAIT) if self.time_scale else 5.0

    @asynccontextmanager
    async def storage_lock(self, storages: set[str], node: str):
        """Hold the locks of these datastores, or fail as a clone's worker does.

        The lock of one that is not shared is a file of the node's (`cluster_lock_storage`).
        """
        held: list[str] = []
        try:
            for storage in sorted(storages):
                place = self.place(storage, node)
                if not await self.storage_locks.acquire(place, self.real_wait(self.storage_locks.wait)):
                    raise TaskError(f"can't lock file '/var/lock/pve-manager/pve-storage-{storage}' - got timeout")
                held.append(place)
            yield
        finally:
            for place in held:
                self.storage_locks.release(place)

    @asynccontextmanager
    async def config_lock(self, vm, holder: str, log=None):
        """Hold the config lock of a VM; whoever waits says so in the task's log, as PVE does."""
        waited = vm.lock_holder is not None
        if waited and log:
            log("trying to acquire lock...")
        await self.acquire(vm, holder)
        if waited and log:
            log(" OK")
        try:
            yield
        finally:
            self.release(vm, holder)
