"""Where the lab keeps its files, and the credentials that are public and belong to the lab alone."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

ROOT_PASSWORD = "lab-Secret1"
ROOT_TOKEN = "root@pam!lab"
ROOT_TOKEN_SECRET = "1ab0f1ee-0000-4000-8000-0000000000aa"
FLEET_USER = "fleet@pve"
FLEET_TOKEN = "fleet@pve!golden"
FLEET_TOKEN_SECRET = "1ab0f1ee-0000-4000-8000-00000000f1ee"

# What a least-privilege token needs, path by path: the one place that says so.
FLEET_ROLE_FILE = Path(__file__).resolve().parent.parent / "fleet-role.json"
FIXTURES_DIR = Path(__file__).resolve().parent.parent / "recorded"

IMAGE_NAME = "noble-server-cloudimg-amd64.img"


def fleet_role() -> dict[str, list[str]]:
    """The privileges of the `fleet@pve` user by ACL path."""
    return json.loads(FLEET_ROLE_FILE.read_text())


@dataclass(frozen=True)
class Settings:
    """What the process was started with. A port of 0 asks the system for a free one."""

    directory: Path
    api_port: int
    ssh_port: int
    image_port: int
    control_port: int
    seed: str = "default"
    time_scale: float = 0.1
    # Names of the nodes that the default seed has.
    nodes: tuple[str, ...] = ("pve1", "pve2")

    @property
    def state_file(self) -> Path:
        return self.directory / "state.json"

    def node_root(self, node: str) -> Path:
        """The folder that stands for the root file system of a node."""
        return self.directory / "nodes" / node
