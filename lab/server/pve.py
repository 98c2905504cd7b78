"""The node: fakepve with everything put right that the other modules know about."""

from __future__ import annotations

import logging
import time

from fakepve import FakePve

from .access import AccessApi
from .agent import AgentApi
from .api import HttpApi
from .boot import BootApi
from .checks import CheckApi
from .cloudinit import CloudInitApi
from .clones import CloneApi
from .cluster import ClusterApi
from .config import ConfigApi
from .content import ContentApi
from .disks import DiskApi
from .downloads import DownloadApi
from .fleet import VmList
from .guests import GuestApi
from .ha import HaApi
from .locks import Locking
from .migrate import MigrateApi
from .move import MoveApi
from .nodes import NodeApi
from .power import PowerApi
from .reassign import ReassignApi
from .seed import SEEDS, make_folders
from .settings import ROOT_PASSWORD, Settings
from .snapshots import SnapshotApi
from .state import StateStore
from .tasks import TaskApi
from .volumes import VolumeApi


class LabPve(HttpApi, AccessApi, TaskApi, Locking, VolumeApi, ContentApi, DownloadApi, ConfigApi, CloneApi, PowerApi,
             AgentApi, MigrateApi, MoveApi, ReassignApi, SnapshotApi, CloudInitApi, BootApi, GuestApi, DiskApi, CheckApi, HaApi, NodeApi,
             ClusterApi, StateStore, FakePve):
    """A cluster that starts from the saved state, or from a seed."""

    def __init__(self, settings: Settings):
        super().__init__(user="root@pam", password=ROOT_PASSWORD, host="127.0.0.1", port=settings.api_port)
        self.settings = settings
        self.time_scale = settings.time_scale
        self.fingerprint = ""
        self.ssh_log: list[dict] = []
        # Switches of the control interface.
        self.sftp_denied = False
        self.held_storages: list[tuple[str, str]] = []
        # How guests behave that are not there yet, by VMID or `new` for all: {attribute: value}.
        self.guest_plans: dict[str, dict] = {}
        self.vms = VmList()
        self.pools, self.pool_info = {}, {}
        for prepare in (self.init_http, self.init_access, self.init_tasks, self.init_locks, self.init_volumes,
                        self.init_downloads, self.init_cluster, self.init_clones, self.init_ha, self.init_state):
            prepare()
        if not self.load():
            SEEDS[settings.seed](self)
            for vm in self.vms:
                # The seed has been there for ever: /cluster/resources knows it.
                vm.born -= 3600
        make_folders(self)
        logging.getLogger("fakepve").setLevel(logging.ERROR)

    def vm(self, vmid: int):
        """The VM with this id, or None."""
        return self.vms.by_id.get(vmid)

    def note_ssh(self, node: str, user: str, what: str, detail: str) -> None:
        """Keep what came in over SSH for the control interface's log."""
        self.ssh_log.append({"time": time.time(), "node": node, "user": user, "what": what, "detail": detail})
