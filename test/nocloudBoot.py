"""Boots a guest with the real cloud-init once and prints, as JSON, what it did.

usage: nocloudBoot.py DISK DRIVE [SERIAL]

DISK is the folder of what the guest keeps between boots, DRIVE holds the files of the cloud-init drive, SERIAL is the
system serial number in the machine's SMBIOS. Both stages that set up a guest, init-local and init, are cloud-init's own,
with its own decisions on what is done per boot and per instance. The modules and the network are not carried out: it is
noted that they would be.
"""

import argparse
import json
import logging
import os
import shutil
import sys
from unittest import mock

from cloudinit import distros, helpers, netinfo, stages, util
from cloudinit.cmd import main as cmd
from cloudinit.distros import networking

from nocloudMachine import keep_to, machine

# As in the cloud.cfg of Debian and Ubuntu. Those of the later stages are in one list with the others: how often a module
# is run does not depend on its stage.
MODULES = """bootcmd write_files growpart resizefs set_hostname update_hostname update_etc_hosts users_groups ssh
set_passwords locale timezone ntp package_update_upgrade_install runcmd scripts_per_boot scripts_per_instance
scripts_user""".split()


def main(disk, drive, serial=None):
    logging.basicConfig(level=logging.ERROR)
    run = os.path.join(disk, "run")
    shutil.rmtree(run, ignore_errors=True)
    for folder in [run, os.path.join(disk, "cloud")]:
        os.makedirs(folder, exist_ok=True)
    keep_to(disk)

    paths = {"cloud_dir": os.path.join(disk, "cloud"), "run_dir": run, "templates_dir": disk}
    base = {
        "datasource_list": ["NoCloud", "None"],
        "def_log_file": os.path.join(disk, "cloud-init.log"),
        "system_info": {"distro": "ubuntu", "default_user": {"name": "ubuntu"}},
        "cloud_init_modules": MODULES,
    }
    did = {"network": [], "hostname": [], "modules": []}

    def apply_network(_self, config, bring_up=False):
        did["network"].append({"config": config, "beforeNetworkIsUp": not bring_up})

    def record(name):
        return lambda *_args, **_named: did["modules"].append(name)

    # As on a real machine, where these are the defaults: cloud-init asks for them before it has read any config.
    paths_of = helpers.Paths.__init__

    with machine(disk, drive, serial):
        config = util.mergemanydict([base, util.get_builtin_cfg()])
        patches = [
            mock.patch.object(stages, "fetch_base_config", lambda *_args, **_named: config),
            mock.patch.object(helpers.Paths, "__init__", lambda s, cfg, ds=None: paths_of(s, {**cfg, **paths}, ds)),
            mock.patch.object(netinfo, "debug_info", lambda: ""),
            mock.patch.object(distros.Distro, "apply_network_config", apply_network),
            mock.patch.object(distros.Distro, "set_hostname", lambda _s, name, *_a: did["hostname"].append(name)),
            mock.patch.object(networking.LinuxNetworking, "apply_network_config_names", lambda *_: None),
            mock.patch.object(networking.Networking, "wait_for_physdevs", lambda *_: None),
        ]
        for name in MODULES:
            # The early call of set_hostname goes past the list of modules and is real.
            if name != "set_hostname":
                module = __import__(f"cloudinit.config.cc_{name}", fromlist=["handle"])
                patches.append(mock.patch.object(module, "handle", record(name)))
        for patch in patches:
            patch.start()
        for local in [True, False]:
            args = argparse.Namespace(
                local=local, files=None, debug=False, force=False, reporter=None, skip_log_setup=True
            )
            source, failures = cmd.main_init("init", args)
            if failures:
                sys.exit(f"cloud-init failed: {failures}")

    print(json.dumps({"instanceId": source.get_instance_id(), **did}))


main(*sys.argv[1:])
