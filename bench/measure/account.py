"""account.py RESULT COMMAND [ARGUMENT...]: runs a command, and writes what it cost to the file RESULT as JSON.

Counted is the CPU time of the command and of all that it started, at any depth: this process adopts those that lose
their parent (Linux: child subreaper), waits for them, and the kernel adds up what they used.
"""

import ctypes
import json
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

PR_SET_CHILD_SUBREAPER = 36
# What the command leaves running may end by itself for so long.
ORPHAN_SECONDS = 10


def children() -> list[int]:
    me = os.getpid()
    return [int(pid) for pid in Path(f"/proc/{me}/task/{me}/children").read_text().split()]


def wait_for_orphans() -> int:
    """Waits for whatever is left, then ends it; how many had to be ended."""
    deadline = time.monotonic() + ORPHAN_SECONDS
    ended: set[int] = set()
    while True:
        try:
            pid, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return len(ended)
        if pid:
            continue
        if time.monotonic() > deadline:
            for child in children():
                os.kill(child, signal.SIGKILL)
                ended.add(child)
        time.sleep(0.01)


def main() -> None:
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        sys.exit("account.py: this system does not let a process adopt the orphans of its children")
    result, command = sys.argv[1], sys.argv[2:]
    started = time.monotonic()
    child = subprocess.Popen(command)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda received, _: child.send_signal(received))
    code = child.wait()
    wall = time.monotonic() - started
    orphans = wait_for_orphans()
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    Path(result).write_text(json.dumps(
        {"code": code, "wallSeconds": wall, "cpuSeconds": used.ru_utime + used.ru_stime, "endedOrphans": orphans}))


main()
