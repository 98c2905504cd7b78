"""The guest agent: who answers, when, and what a guest says that has booted from its cloud-init drive."""

from __future__ import annotations

import asyncio
import ipaddress
import json
import re
import time

from fakepve import agent as answers
from fakepve.model import PveError
from fakepve.routing import die

from . import shell

# PVE seconds: from start until the agent answers, and from start until cloud-init has done its work.
BOOT_SECONDS = 8
CLOUD_INIT_SECONDS = 15
# How long PVE waits for an agent that does not answer a ping, and for one that answers nothing else.
PING_PATIENCE = 3.0
COMMAND_PATIENCE = 10.0
# What the agent's channel does when a program is not there (measured), after so many PVE seconds.
NO_PROGRAM_SECONDS = 5.0
# Programs of every guest that end well and say nothing.
SILENT = ("id", "true")
# What `cloud-init status` says and ends with when it is through.
OUTCOMES = {"done": ("done", "done", 0), "degraded": ("done", "degraded done", 2), "error": ("error", "error", 1),
            "disabled": ("disabled", "disabled", 0)}


def link_local(mac: str) -> str:
    """The IPv6 address that an interface gives itself."""
    parts = [int(part, 16) for part in mac.split(":")]
    parts[0] ^= 2
    suffix = bytes([*parts[:3], 0xFF, 0xFE, *parts[3:]])
    return str(ipaddress.IPv6Address(b"\xfe\x80" + bytes(6) + suffix))


class AgentApi:
    """Mixin: …/agent."""

    def _agent_age(self, vm) -> float:
        """PVE seconds since the guest was started."""
        if vm.started_at is None:
            return 0.0
        return (time.time() - vm.started_at) / self.time_scale if self.time_scale else 1e9

    def agent_answers(self, vm) -> bool:
        """The control interface says whether; otherwise a snippet must install the agent, and the guest must be up."""
        if vm.agent_hangs is True or vm.agent_after == "never":
            return False
        if vm.agent_after is not None:
            return self._agent_age(vm) >= vm.agent_after
        if vm.agent is not None:
            return True
        if not self.has_system(vm) or self._agent_age(vm) < BOOT_SECONDS:
            return False
        files = [self.file_of(volid, vm.node) for volid in self.snippets_of(vm.config)]
        return any(f is not None and "qemu-guest-agent" in f.read_text(errors="replace") for f in files)

    async def _agent_call(self, match, values):
        vm = self.find(values["node"], values["vmid"])
        command = match.template.rsplit("/", 1)[1]
        if "agent" not in vm.config:
            raise die("No QEMU guest agent configured")
        if vm.status != "running":
            raise die(f"VM {vm.vmid} is not running")
        if not self.agent_configured(vm):
            # QEMU has no such device: PVE needs no time to find out.
            raise die("QEMU guest agent is not running")
        if not self.agent_answers(vm):
            await self.pause(PING_PATIENCE)
            raise die("QEMU guest agent is not running")
        if vm.agent_hangs == "commands" and command != "ping":
            await self.pause(COMMAND_PATIENCE)
            raise die(f"VM {vm.vmid} qmp command 'guest-{command}' failed - got timeout")
        answers.record(vm, command, values)
        given = vm.agent or {}
        if command in given and command != "exec":
            return {"result": given[command]}
        if command == "exec":
            return await self._agent_exec(vm, values)
        if command == "exec-status":
            return self._agent_exec_status(vm, int(values["pid"]))
        before, vm.agent = vm.agent, {"interfaces": self.agent_interfaces(vm), **given}
        try:
            return answers.result(vm, command, values)
        finally:
            vm.agent = before

    # ------------------------------------------------------------ addresses

    def agent_interfaces(self, vm) -> list[dict]:
        """The addresses a guest has that followed the cloud-init drive it was started with; DHCP goes by the VMID."""
        memory = vm.guest_memory or {}
        config = memory.get("network", vm.config)

        def address(text: str, prefix: int) -> dict:
            kind = "ipv6" if ":" in text else "ipv4"
            return {"ip-address": text, "ip-address-type": kind, "prefix": prefix}
        found = [{"name": "lo", "hardware-address": "00:00:00:00:00:00",
                  "ip-addresses": [address("127.0.0.1", 8), address("::1", 128)]}]
        for number in range(32):
            mac = re.search(r"(?:[0-9A-Fa-f]{2}:){5}[0-9A-Fa-f]{2}", str(config.get(f"net{number}", "")))
            if not mac:
                continue
            wanted = dict(part.split("=", 1) for part in str(config.get(f"ipconfig{number}", "")).split(",")
                          if "=" in part)
            held = []
            # Neither said: PVE asks for DHCP. A NIC without `ipconfigN` is not on the drive.
            by_drive = memory.get("instanceId") is not None and f"ipconfig{number}" not in config
            ip = wanted.get("ip", "" if "ip6" in wanted or by_drive else "dhcp")
            if ip == "dhcp":
                held.append(address(f"10.{number}.{vm.vmid // 250 % 250}.{vm.vmid % 250 + 1}", 16))
            elif ip:
                held.append(address(ip.partition("/")[0], int(ip.partition("/")[2] or 24)))
            ip6 = wanted.get("ip6", "")
            if ip6 in ("dhcp", "auto"):
                held.append(address(f"2001:db8:{number}::{vm.vmid:x}", 64))
            elif ip6:
                held.append(address(ip6.partition("/")[0], int(ip6.partition("/")[2] or 64)))
            held.append(address(link_local(mac.group(0)), 64))
            found.append({"name": f"eth{number}", "hardware-address": mac.group(0).lower(), "ip-addresses": held})
        return found

    # ----------------------------------------------------------------- exec

    async def _agent_exec(self, vm, values: dict) -> dict:
        command = values.get("command") or []
        argv = [command] if isinstance(command, str) else list(command)
        program = argv[0].rsplit("/", 1)[-1] if argv else ""
        if program == "cloud-init" and (vm.cloud_init or {}).get("missing"):
            raise die(f"Agent error: Guest agent command failed, error was 'Failed to execute child process “{argv[0]}” "
                      "(No such file or directory)'")
        try:
            # As Perl's encode_base64, which PVE passes it through, takes it.
            data = str(values.get("input-data", "")).encode("latin-1")
        except UnicodeEncodeError:
            raise die("Wide character in subroutine entry at /usr/share/perl5/PVE/QemuServer/Agent.pm line 142.") from None
        ended: dict | None = None
        if self._exec_answer(vm, argv, program) is None and program not in ("cloud-init", *SILENT):
            if program != "sh":
                await self.pause(NO_PROGRAM_SECONDS)
                raise PveError(596, "Broken pipe")
            says = None if (vm.cloud_init or {}).get("missing") else self._cloud_init_status(vm, [])["out-data"].strip()
            keys = (vm.guest_memory or {}).get("keys") or {}
            ended = await asyncio.to_thread(shell.run, argv[1:], data, keys, says)
        vm.agent_pid += 1
        vm.agent_execs[vm.agent_pid] = (argv, ended)
        return {"pid": vm.agent_pid}

    @staticmethod
    def _exec_answer(vm, argv: list[str], program: str) -> dict | None:
        """What a test wants a command line, or a program whatever comes after it, to end with."""
        given = (vm.agent or {}).get("exec") or {}
        return given.get(" ".join(argv), given.get(program))

    def _agent_exec_status(self, vm, pid: int) -> dict:
        """Of a process that has ended, the agent tells once."""
        argv, ended = vm.agent_execs.get(pid, ([], None))
        if not argv:
            raise die("Agent error: Invalid parameter 'pid'")
        known = self._exec_answer(vm, argv, argv[0].rsplit("/", 1)[-1])
        if known is not None:
            status = {"exited": 1, "exitcode": 0, **known}
        elif [word.rsplit("/", 1)[-1] for word in argv[:2]] == ["cloud-init", "status"]:
            status = self._cloud_init_status(vm, argv[2:])
        else:
            status = ended or {"exited": 1, "exitcode": 0}
        if status["exited"]:
            vm.agent_execs.pop(pid, None)
        return status

    def _cloud_init_status(self, vm, options: list[str]) -> dict:
        """`cloud-init status`, with --wait, --long and --format json."""
        says = vm.cloud_init or {}
        running = self._agent_age(vm) < says.get("seconds", CLOUD_INIT_SECONDS)
        if running and ("--wait" in options or "-w" in options):
            return {"exited": 0}
        status, extended, code = ("running", "running", 0) if running else OUTCOMES[says.get("result", "done")]
        errors = [] if running else list(says.get("errors", ()))
        if "json" in options or "--format=json" in options:
            text = json.dumps({"boot_status_code": "enabled-by-generator", "datasource": "nocloud",
                               "detail": "DataSourceNoCloud [seed=/dev/sr0]", "errors": errors,
                               "extended_status": extended, "recoverable_errors": {}, "status": status}, indent=2)
        elif "--long" in options or "-l" in options:
            text = (f"status: {status}\nextended_status: {extended}\nboot_status_code: enabled-by-generator\n"
                    "detail: DataSourceNoCloud [seed=/dev/sr0]\nerrors:" +
                    ("".join(f"\n\t- {error}" for error in errors) or " []") + "\nrecoverable_errors: {}")
        else:
            text = f"status: {status}"
        return {"exited": 1, "exitcode": code, "out-data": text + "\n"}
