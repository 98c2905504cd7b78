"""Runs a command in a terminal, and presses keys when it asks.

usage: terminal.py COMMAND ARG... < steps.json
steps: [[what is waited for, what is typed], ...]; "SIGINT" in place of keys sends the signal to the process.
Prints what the terminal shows, without escape sequences. Exits with the command's exit code.
"""

import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import sys
import termios
import time

ESCAPES = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]|\x1b[()][AB0]|\x1b[=>78]")
TIMEOUT = 60

steps = json.load(sys.stdin)
pid, terminal = pty.fork()
if pid == 0:
    os.execvp(sys.argv[1], sys.argv[1:])
fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 160, 0, 0))

shown = ""
seen = 0
deadline = time.monotonic() + TIMEOUT
while True:
    text = ESCAPES.sub("", shown)
    if steps and steps[0][0] in text[seen:]:
        seen = text.index(steps[0][0], seen) + len(steps[0][0])
        keys = steps.pop(0)[1]
        deadline = time.monotonic() + TIMEOUT
        if keys == "SIGINT":
            os.kill(pid, signal.SIGINT)
        else:
            os.write(terminal, keys.encode())
        continue
    ready, _, _ = select.select([terminal], [], [], 1)
    if time.monotonic() > deadline:
        os.kill(pid, signal.SIGKILL)
        sys.stdout.write(f"{text}\nTIMEOUT waiting for {steps[0][0] if steps else 'the end'}\n")
        sys.exit(99)
    if not ready:
        continue
    try:
        chunk = os.read(terminal, 65536)
    except OSError:
        break
    if not chunk:
        break
    shown += chunk.decode(errors="replace")

sys.stdout.write(ESCAPES.sub("", shown))
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
