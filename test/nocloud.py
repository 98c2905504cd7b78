"""Lets the real cloud-init read a cloud-init drive and prints, as JSON, what it made of it.

usage: nocloud.py FOLDER [SERIAL]

FOLDER holds the files of the drive (label cidata); SERIAL is the system serial number in the machine's SMBIOS.
"""

import json
import logging
import sys
import tempfile

import yaml
from cloudinit import cloud, distros, helpers, sources, util
from cloudinit.sources import DataSourceNoCloud as nocloud

from nocloudMachine import keep_to, machine


def main(drive, serial=None):
    logging.basicConfig(level=logging.ERROR)
    scratch = tempfile.mkdtemp()
    keep_to(scratch)
    config = {"datasource_list": ["NoCloud", "None"]}
    paths = helpers.Paths({"cloud_dir": scratch, "run_dir": scratch, "templates_dir": scratch})
    distro = distros.fetch("ubuntu")("ubuntu", config, paths)
    source = nocloud.DataSourceNoCloud(config, distro, paths)
    with machine(scratch, drive, serial):
        claimed = source.get_data()
    user_data = yaml.safe_load(source.get_userdata_raw())
    # As the set_hostname and update_etc_hosts modules ask.
    names = util.get_hostname_fqdn(user_data, cloud.Cloud(source, paths, config, distro, None))
    # At the start of the local stage only the meta-data is asked.
    early = source.get_hostname(metadata_only=True)
    print(
        json.dumps(
            {
                "claimed": claimed,
                "seed": source.seed,
                "dsmode": source.dsmode,
                "networkMode": sources.DSMODE_NETWORK,
                "instanceId": source.get_instance_id(),
                "localHostname": source.metadata.get("local-hostname"),
                "hostname": names[0],
                "fqdn": names[1],
                "early": early[0] if isinstance(early, tuple) else early,
                "userData": user_data,
                "vendorData": yaml.safe_load(source.get_vendordata_raw()),
                "networkConfig": source.network_config,
            }
        )
    )


main(*sys.argv[1:])
