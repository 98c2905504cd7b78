"""Tasks as a node runs them: workers that log, take time, can be aborted, and can be killed.

fakepve's tasks end before the request returns when time stands still, and nothing can interrupt them; a client that
survives a killed worker can only be tried on one that can be killed.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from fakepve.model import PveError, TaskError

KEEP = 5000
NO_UPID = "got no worker upid - start worker failed"
UNEXPECTED = "unexpected status"
FAULT_SECONDS = 0.5
Body = Callable[["Task"], Awaitable[Any]]


@dataclass
class Hiccup:
    """pvedaemon loses the first word of the worker that it has forked, for the next `times` such requests.

    The worker waits for its parent's OK and is killed instead: it does nothing and is in no list. With `started`, it runs
    all the same.
    """

    method: str
    path: str
    times: int
    started: bool


# The hiccup that the request under way is to have.
HICCUP: ContextVar[Hiccup | None] = ContextVar("hiccup", default=None)


@dataclass
class TaskFault:
    """The next `times` tasks of a type end with this text; with a VMID, only those about that VM."""

    type: str
    message: str
    times: int
    vmid: int | None = None


@dataclass
class TaskHang:
    """The next `times` tasks of a type stand still until they are let go on, or killed."""

    type: str
    times: int
    vmid: int | None = None
    # At which opportunity: a clone has one after each volume that it makes.
    at: int = 1


class Task:
    """One worker: what the API shows of it and the asyncio task that runs it."""

    def __init__(self, record: dict):
        self.record = record
        self.runner: asyncio.Task | None = None
        # Set by DELETE of the task: the worker dies of a signal and cleans up after itself.
        self.aborted = False
        self.warnings = 0
        # The VM that the task makes, where its id is another.
        self.target: str | None = None
        # The text that it is to end with.
        self.fault: str | None = None
        # What it waits for where it is to stand still, and how many opportunities come before.
        self.gate: asyncio.Event | None = None
        self.opportunities = 0

    @property
    def upid(self) -> str:
        return self.record["upid"]

    async def hold(self) -> None:
        """Stand still here, if a test wants it."""
        self.opportunities -= 1
        if self.gate is not None and self.opportunities <= 0:
            await self.gate.wait()

    def is_about(self, vmid: int | str) -> bool:
        return str(vmid) in (self.record["id"], self.target)

    def log(self, line: str) -> None:
        self.record["log"].append(line)

    def warn(self, line: str) -> None:
        """A `WARN:` line; the task then ends with `WARNINGS: n` instead of OK."""
        self.warnings += 1
        self.log("WARN: " + line)


class TaskApi:
    """Mixin: running tasks, and the calls that show and stop them."""

    def init_tasks(self) -> None:
        self.running: dict[str, Task] = {}
        # What the control interface makes fail.
        self.task_faults: list[TaskFault] = []
        self.task_hangs: list[TaskHang] = []
        self.hiccups: list[Hiccup] = []

    async def start_task(self, node: str, kind: str, ident: object, user: str, body: Body, *,
                         target: int | None = None, undo: Callable[[], None] | None = None,
                         own_faults: bool = False) -> str:
        """Start a worker and return its UPID; with a time scale of 0 it has ended by then.

        `target` is the VM that the task makes, where `ident` is another; `undo` takes away what was made before the
        worker started, if it fails at once. With `own_faults` the body sees itself to the task's `fault` and `hold`.
        """
        hiccup = HICCUP.get()
        HICCUP.set(None)
        if hiccup is not None:
            hiccup.times -= 1
            if not hiccup.started:
                raise PveError(500, NO_UPID)
        upid, pid, start = self._upid(node, kind, ident, user)
        record = {"upid": upid, "node": node, "pid": pid, "pstart": pid * 7, "starttime": start, "type": kind,
                  "id": str(ident), "user": user, "status": "running", "log": []}
        task = Task(record)
        self.tasks[upid] = record
        self.tasklog.append(record)
        for old in self.tasklog[:-KEEP]:
            if old["status"] == "stopped":
                self.tasklog.remove(old)
                self.tasks.pop(old["upid"], None)
        self.running[upid] = task
        about = str(ident if target is None else target)
        task.target, task.fault = about, self._fault_of(kind, about)
        hang = self._hang_of(kind, about)
        if hang is not None:
            task.gate, task.opportunities = asyncio.Event(), hang.at
        run = body if own_faults else self._with_faults(body, undo)
        task.runner = asyncio.ensure_future(self._run(task, run))
        if not self.time_scale and task.gate is None:
            await asyncio.wait([task.runner])
        if hiccup is not None:
            raise PveError(500, NO_UPID)
        return upid

    async def task(self, node, ttype, tid, user, body, vm=None, lock=True, log=()):
        """fakepve's own entry point, for the parts of it that are used as they are."""
        async def run(task: Task) -> Any:
            for line in log:
                task.log(line)
            if vm is None or not lock:
                return await body()
            await self.acquire(vm, task.upid)
            try:
                return await body()
            finally:
                self.release(vm, task.upid)
        return await self.start_task(node, ttype, tid, user, run)

    def _fault_of(self, kind: str, vmid: str) -> str | None:
        """The text that a task about a VM is to end with; taken now, so that no other task gets it too."""
        for fault in self.task_faults:
            if fault.times > 0 and fault.type == kind and str(fault.vmid) in ("None", vmid):
                fault.times -= 1
                return fault.message
        return None

    def _hang_of(self, kind: str, vmid: str) -> TaskHang | None:
        for hang in self.task_hangs:
            if hang.times > 0 and hang.type == kind and str(hang.vmid) in ("None", vmid):
                hang.times -= 1
                return hang
        return None

    def _with_faults(self, body: Body, undo: Callable[[], None] | None) -> Body:
        async def run(task: Task) -> Any:
            await task.hold()
            if task.fault is None:
                return await body(task)
            await self.pause(FAULT_SECONDS)
            if undo:
                undo()
            raise TaskError(task.fault)
        return run

    async def _run(self, task: Task, body: Body) -> None:
        record = task.record
        try:
            note = await body(task)
            if note:
                task.log(str(note))
            status = f"WARNINGS: {task.warnings}" if task.warnings else "OK"
        except (TaskError, PveError) as error:
            status = getattr(error, "message", None) or str(error)
        except asyncio.CancelledError:
            status = "received interrupt" if task.aborted else UNEXPECTED
        except Exception as error:  # a fault of the lab itself must be seen, not swallowed
            self.report("task " + record["type"], error)
            status = f"lab: {error!r}"
        # A killed worker writes no last line.
        if status != UNEXPECTED:
            first = status.splitlines()[0] if status else status
            task.log("TASK OK" if status == "OK" else
                     f"TASK {status}" if status.startswith("WARNINGS") else f"TASK ERROR: {status}")
            status = first
        record.update(status="stopped", exitstatus=status, endtime=int(time.time()))
        self.running.pop(record["upid"], None)
        self.changed()

    def kill_worker(self, upid: str) -> bool:
        """SIGKILL for a worker: nothing is cleaned up. False if it has ended already."""
        task = self.running.get(upid)
        if task is None or task.runner is None:
            return False
        task.runner.cancel()
        return True

    # ----------------------------------------------------------------- API

    def _routes_lab_tasks(self):
        one = "/nodes/{node}/tasks/{upid}"
        return [("DELETE", one, self.task_stop)]

    async def task_list(self, values: dict, user: str) -> list[dict]:
        """Newest first; `source` is archive (ended, the default), active or all."""
        node, source = values["node"], values.get("source", "archive")
        audit = self.allowed(user, "/nodes/" + node, "Sys.Audit")
        start = int(values.get("start", 0))
        end = start + int(values.get("limit", 50))
        items = []
        for record in reversed(self.tasklog):
            if len(items) >= end:
                break
            ended = record["status"] == "stopped"
            owner = record["user"]
            if record["node"] != node or (source == "archive" and not ended) or (source == "active" and ended):
                continue
            if not audit and user not in (owner, owner.split("!")[0]):
                continue
            if values.get("vmid") is not None and record["id"] != str(values["vmid"]):
                continue
            if values.get("typefilter") and values["typefilter"] not in record["type"]:
                continue
            if values.get("userfilter") and values["userfilter"] not in owner:
                continue
            if values.get("errors") and record.get("exitstatus") in (None, "OK"):
                continue
            if values.get("since") is not None and record["starttime"] < values["since"]:
                continue
            if values.get("until") is not None and record["starttime"] > values["until"]:
                continue
            item = {k: record[k] for k in ("upid", "node", "pid", "pstart", "starttime", "type", "id")}
            item["user"], bang, token = owner.partition("!")
            if bang:
                item["tokenid"] = token
            if ended:
                item.update(status=record["exitstatus"], endtime=record["endtime"])
            items.append(item)
        return items[start:end]

    @staticmethod
    def _parse_upid(upid: str) -> None:
        parts = upid.split(":")
        if len(parts) < 9 or parts[0] != "UPID":
            raise PveError(400, "Parameter verification failed.", {"upid": "unable to parse worker upid"})

    def _visible_task(self, values: dict, user: str) -> dict | None:
        self._parse_upid(values["upid"])
        record = self.tasks.get(values["upid"])
        if record is None or record["node"] != values["node"]:
            return None
        owner = record["user"]
        if user not in (owner, owner.split("!")[0]):
            self.require(user, "/nodes/" + record["node"], "Sys.Audit")
        return record

    async def task_status(self, values: dict, user: str) -> dict:
        record = self._visible_task(values, user)
        if record is None:
            raise PveError(400, "Parameter verification failed.", {"upid": "no such task"})
        view = {k: v for k, v in record.items() if k not in ("log", "endtime")}
        view["user"], bang, token = record["user"].partition("!")
        if bang:
            view["tokenid"] = token
        return view

    async def task_log(self, values: dict, user: str) -> list[dict]:
        record = self._visible_task(values, user)
        if record is None:
            return [{"n": 1, "t": "unable to open file - No such file or directory"}]
        start, limit = int(values.get("start", 0)), int(values.get("limit", 50))
        lines = [line for text in record["log"] for line in text.split("\n")]
        if not lines:
            return [{"n": 1, "t": "no content"}]
        return [{"n": n, "t": text} for n, text in enumerate(lines, 1)][start: start + limit if limit else None]

    async def task_stop(self, values: dict, user: str) -> None:
        record = self._visible_task(values, user)
        if record is None:
            raise PveError(400, "Parameter verification failed.", {"upid": "no such task"})
        task = self.running.get(values["upid"])
        if task is not None and task.runner is not None:
            task.aborted = True
            task.runner.cancel()
