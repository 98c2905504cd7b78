"""What a guest's /bin/sh makes of the one script that the program runs there: it is run, in a scratch home.

The script's text must be the checkout's own: nobody else gets anything run on this machine by way of a guest agent.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

SCRIPT = Path(__file__).resolve().parents[2] / "providers/clone/keys/setKeys.sh"
# Programs of the guest, taken from this machine. sshd is none of them: there is none to ask.
PROGRAMS = ("cat", "chmod", "chown", "cut", "grep", "mkdir", "mv", "rm", "sed")
PATIENCE = 10.0


def _program(folder: Path, name: str, text: str) -> None:
    path = folder / name
    path.write_text("#!/bin/sh\n" + text)
    path.chmod(0o755)


def run(argv: list[str], data: bytes, keys: dict[str, str], cloud_init: str | None) -> dict:
    """Ends as `guest-exec-status` tells it.

    argv: what comes after the shell's name. keys: authorized_keys by user, which is changed.
    cloud_init: what `cloud-init status` says; None: there is no such program.
    """
    if argv[:1] != ["-c"] or len(argv) < 2 or argv[1] != SCRIPT.read_text(encoding="utf-8"):
        return {"exited": 1, "exitcode": 127, "err-data": f"the lab runs no other script than {SCRIPT.name}\n"}
    with tempfile.TemporaryDirectory(prefix="golden-fleet-guest-") as scratch:
        root = Path(scratch)
        programs = root / "bin"
        programs.mkdir()
        for name in PROGRAMS:
            (programs / name).symlink_to(shutil.which(name) or f"/bin/{name}")
        people = root / "home"
        for user, text in keys.items():
            folder = people / user / ".ssh"
            folder.mkdir(parents=True)
            (folder / "authorized_keys").write_text(text, encoding="utf-8")
        # Every user of the guest has this process's own ids, so that chown needs no root.
        _program(programs, "getent", f'[ "$1" = passwd ] && [ -d "{people}/$2" ] || exit 2\n'
                                     f'echo "$2:x:{os.getuid()}:{os.getgid()}::{people}/$2:/bin/sh"\n')
        if cloud_init is not None:
            _program(programs, "cloud-init", f"echo '{cloud_init}'\n")
        try:
            ended = subprocess.run(["/bin/sh", *argv], input=data, capture_output=True, cwd=root, timeout=PATIENCE,
                                   env={"PATH": str(programs)}, check=False)
        except subprocess.TimeoutExpired:
            return {"exited": 0}
        for user in keys:
            file = people / user / ".ssh/authorized_keys"
            keys[user] = file.read_text(encoding="utf-8") if file.exists() else ""
    said = {"out-data": ended.stdout.decode(errors="replace"), "err-data": ended.stderr.decode(errors="replace")}
    code = {"signal": -ended.returncode} if ended.returncode < 0 else {"exitcode": ended.returncode}
    return {"exited": 1, **code, **{name: text for name, text in said.items() if text}}
