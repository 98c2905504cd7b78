"""A machine for the real cloud-init: the kernel's DMI files, the command line and the cloud-init drive.

Only what needs a machine is replaced. Nothing outside the scratch folder is written and no program is run, so that
cloud-init cannot set up the machine that tests it.
"""

import contextlib
import os
import sys
from unittest import mock

from cloudinit import dmi, util
from cloudinit.sources import DataSourceNoCloud as nocloud

WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT
CHANGES = {"os.mkdir", "os.remove", "os.rename", "os.rmdir", "os.symlink", "os.link", "os.chmod", "os.chown"}
PROGRAMS = {"subprocess.Popen", "os.system", "os.exec", "os.posix_spawn"}


def keep_to(scratch):
    """Ends cloud-init's reach at the scratch folder, for as long as the process lives."""
    sys.dont_write_bytecode = True
    root = os.path.realpath(scratch)

    def inside(path):
        folder, name = os.path.split(os.path.abspath(os.fsdecode(path)))
        # A link itself is changed, not what it points to.
        return os.path.commonpath([os.path.join(os.path.realpath(folder), name), root]) == root

    def hook(event, args):
        if event == "open":
            path, _mode, flags = args
            writes = isinstance(path, (str, bytes)) and flags & WRITES and os.fsdecode(path) != os.devnull
            if writes and not inside(path):
                raise PermissionError(f"cloud-init would write {path}")
        elif event in CHANGES:
            path = args[1] if event in ("os.symlink", "os.link", "os.rename") else args[0]
            if isinstance(path, (str, bytes)) and not inside(path):
                raise PermissionError(f"cloud-init would change {path} ({event})")
        elif event in PROGRAMS:
            raise PermissionError(f"cloud-init would run {args[:2]}")

    sys.addaudithook(hook)


@contextlib.contextmanager
def machine(scratch, drive, serial=None):
    """Has cloud-init see a machine with this drive (label cidata) and system serial number."""
    with open(os.path.join(scratch, "product_serial"), "w") as file:
        file.write((serial or "Not Specified") + "\n")
    mount = lambda device, callback, data=None, **_: callback(drive, data)  # noqa: E731
    with contextlib.ExitStack() as stack:
        for target, name, value in [
            (dmi, "DMI_SYS_PATH", scratch),
            (dmi, "is_container", lambda: False),
            (util, "get_cmdline", lambda: "BOOT_IMAGE=/vmlinuz ro"),
            (nocloud.DataSourceNoCloud, "_get_devices", lambda _self, _label: ["/dev/sr0"]),
            (util, "mount_cb", mount),
        ]:
            stack.enter_context(mock.patch.object(target, name, value))
        yield
