"""The node's SSH: SFTP into its file system, and the handful of commands that clients send. Never a shell.

The provider refuses a changed host key and remembers new ones, so there is one host key per lab, kept until reset.
"""

from __future__ import annotations

import logging
import os
import posixpath
import re
import shlex
from pathlib import Path

import asyncssh

from .certs import write_private

log = logging.getLogger("lab.ssh")
USERS = ("root", "snippets")


def _ensure_key(path: Path, comment: str) -> None:
    if not path.exists():
        key = asyncssh.generate_private_key("ssh-ed25519", comment=comment)
        path.with_name(path.name + ".pub").write_bytes(key.export_public_key())
        write_private(path, key.export_private_key())


def ensure_keys(directory: Path) -> None:
    """The client's key and the host's, made once."""
    _ensure_key(directory / "id_ed25519", "golden-fleet-lab")
    _ensure_key(directory / "ssh_host_ed25519_key", "golden-fleet-lab-host")


class NodeFiles(asyncssh.SFTPServer):
    """The node's file system. The user `snippets` may write only where snippets live."""

    def __init__(self, chan: asyncssh.SSHServerChannel, pve, node: str):
        self.pve, self.node = pve, node
        self.user = chan.get_extra_info("username")
        self.peer = chan.get_extra_info("peername")
        super().__init__(chan, chroot=os.fsencode(pve.settings.node_root(node)))

    def _guard(self, path: bytes, what: str) -> None:
        if self.pve.sftp_denied:
            raise asyncssh.SFTPPermissionDenied("Permission denied")
        if self.user == "root":
            return
        shown = posixpath.normpath("/" + os.fsdecode(path).lstrip("/"))
        folders = [self.pve.folder(s, "snippets") for s in self.pve.storages if self.pve.is_dir(s)]
        if not any(shown == f or shown.startswith(f + "/") for f in folders):
            log.info("%s: %s refused for %s", shown, what, self.user)
            raise asyncssh.SFTPPermissionDenied("Permission denied")

    def open(self, path, pflags, attrs):
        if pflags & (asyncssh.FXF_WRITE | asyncssh.FXF_CREAT | asyncssh.FXF_APPEND | asyncssh.FXF_TRUNC):
            self._guard(path, "write")
            self.pve.note_ssh(self.node, self.user, "sftp write", os.fsdecode(path))
        return super().open(path, pflags, attrs)

    def realpath(self, path):
        # A shared datastore lies elsewhere on this machine; on the node it is where it is mounted.
        return posixpath.normpath(b"/" + path.lstrip(b"/"))

    def mkdir(self, path, attrs):
        self._guard(path, "mkdir")
        return super().mkdir(path, attrs)

    def remove(self, path):
        self._guard(path, "remove")
        self.pve.note_ssh(self.node, self.user, "sftp remove", os.fsdecode(path))
        return super().remove(path)

    def rmdir(self, path):
        self._guard(path, "rmdir")
        return super().rmdir(path)

    def rename(self, oldpath, newpath):
        self._guard(oldpath, "rename")
        self._guard(newpath, "rename")
        return super().rename(oldpath, newpath)

    def posix_rename(self, oldpath, newpath):
        self._guard(oldpath, "rename")
        self._guard(newpath, "rename")
        return super().posix_rename(oldpath, newpath)

    def symlink(self, oldpath, newpath):
        raise asyncssh.SFTPPermissionDenied("Permission denied")

    def setstat(self, path, attrs):
        self._guard(path, "setstat")
        # Owners of the lab's node are not those of this machine.
        attrs.uid = attrs.gid = None
        return super().setstat(path, attrs)


class Commands:
    """What a node's shell is asked for by clients, and nothing else."""

    def __init__(self, pve, node: str):
        self.pve, self.node = pve, node

    async def run(self, process: asyncssh.SSHServerProcess) -> None:
        user = process.get_extra_info("username")
        command = process.command or ""
        self.pve.note_ssh(self.node, user, "exec", command[:500])
        if not command:
            process.stderr.write("This node has no shell: it is a lab. SFTP works.\n")
            process.exit(1)
            return
        try:
            code, out = await self._answer(command, user, process)
        except Exception as error:  # a client must get an answer, whatever it sent
            code, out = 1, f"{error}\n"
        process.stdout.write(out)
        process.exit(code)

    async def _answer(self, command: str, user: str, process) -> tuple[int, str]:
        words = shlex.split(command)
        script = words[2] if words[:2] == ["/bin/bash", "-c"] and len(words) == 3 else command
        if "pvesm apiinfo" in script and "id -u" in script:
            return 0, "0\n" if user == "root" else "1\n"
        tee = re.search(r"(?:^|[;\s])(?:/usr/bin/)?tee (\S+)\s*$", script)
        if tee:
            return await self._tee(tee.group(1), user, process)
        return self._simple(shlex.split(script.split("; ")[-1]), user)

    async def _tee(self, path: str, user: str, process) -> tuple[int, str]:
        shown = posixpath.normpath(path)
        folders = [self.pve.folder(s, "snippets") for s in self.pve.storages if self.pve.is_dir(s)]
        if not any(posixpath.dirname(shown) == f for f in folders) or self.pve.sftp_denied:
            return 1, f"tee: {path}: Permission denied\n"
        data = await process.stdin.read()
        data = data if isinstance(data, str) else data.decode()
        real = self.pve.real_path(self.node, shown)
        real.parent.mkdir(parents=True, exist_ok=True)
        real.write_text(data, encoding="utf-8")
        return 0, data

    def _simple(self, words: list[str], user: str) -> tuple[int, str]:
        while words and words[0] in ("sudo", "try_sudo", "-n"):
            words = words[1:]
        name = posixpath.basename(words[0]) if words else ""
        if name in ("true", ":"):
            return 0, ""
        if name == "echo":
            return 0, " ".join(words[1:]) + "\n"
        if name == "id" and words[1:] == ["-u"]:
            return 0, "0\n" if user == "root" else "1000\n"
        if name in ("hostname", "uname"):
            return 0, self.node + "\n"
        if name == "pvesm" and words[1:2] == ["path"] and len(words) == 3:
            return 0, self.pve.volume_path(words[2]) + "\n"
        if name == "test" and len(words) == 3 and words[1] in ("-d", "-w", "-e", "-f"):
            return (0 if self.pve.real_path(self.node, words[2]).exists() else 1), ""
        if name == "qm" and words[1:2] == ["unlock"] and len(words) == 3 and user == "root":
            vm = self.pve.vm(int(words[2]))
            if vm is None or vm.node != self.node:
                return 2, f"Configuration file 'nodes/{self.node}/qemu-server/{words[2]}.conf' does not exist\n"
            vm.config.pop("lock", None)
            self.pve.changed()
            return 0, ""
        return 127, f"lab: no such command here: {' '.join(words)}\n"


class SshServer:
    """One listener for one node."""

    def __init__(self, pve, directory: Path, node: str):
        self.pve, self.directory, self.node = pve, directory, node
        self.server: asyncssh.SSHAcceptor | None = None
        self.port = 0

    async def start(self, host: str, port: int) -> None:
        ensure_keys(self.directory)
        public = (self.directory / "id_ed25519.pub").read_text()
        self.pve.settings.node_root(self.node).mkdir(parents=True, exist_ok=True)
        commands = Commands(self.pve, self.node)

        class Login(asyncssh.SSHServer):
            def begin_auth(self, username: str) -> bool:
                return True

            def public_key_auth_supported(self) -> bool:
                return True

            def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
                return username in USERS and key.export_public_key().split()[:2] == public.encode().split()[:2]

        self.server = await asyncssh.create_server(
            Login, host, port, server_host_keys=[str(self.directory / "ssh_host_ed25519_key")],
            password_auth=False, kbdint_auth=False, gss_host=None, allow_scp=False,
            sftp_factory=lambda chan: NodeFiles(chan, self.pve, self.node), process_factory=commands.run, encoding="utf-8")
        self.port = self.server.sockets[0].getsockname()[1]

    def new_host_keys(self, types: list[str]) -> list[str]:
        """Other host keys from now on, in memory only; their public lines."""
        keys = [asyncssh.generate_private_key(name) for name in types]
        self.server.update(server_host_keys=keys)
        return [key.export_public_key().decode().strip() for key in keys]

    def own_host_key(self) -> None:
        """The lab's host key again."""
        self.server.update(server_host_keys=[str(self.directory / "ssh_host_ed25519_key")])

    async def stop(self) -> None:
        if self.server:
            self.server.close()
            await self.server.wait_closed()
