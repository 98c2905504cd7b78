"""Runs the lab: API, SSH, image server and control interface in one process, on loopback only."""

from __future__ import annotations

import argparse
import asyncio
import errno
import hashlib
import json
import logging
import logging.handlers
import os
import secrets
import signal
import sys
import time
from pathlib import Path

from .certs import ensure_certificates, fingerprint
from .control import Control
from .imageserver import ImageServer
from .pve import LabPve
from .settings import (
    FLEET_TOKEN,
    FLEET_TOKEN_SECRET,
    IMAGE_NAME,
    ROOT_PASSWORD,
    ROOT_TOKEN,
    ROOT_TOKEN_SECRET,
    Settings,
)
from .ssh import SshServer, ensure_keys

HOST = "127.0.0.1"
PORT_IN_USE = 98


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="lab")
    parser.add_argument("--dir", required=True, type=Path)
    for name in ("api", "ssh", "image", "control"):
        parser.add_argument(f"--{name}-port", type=int, default=0)
    parser.add_argument("--seed", default="default", choices=("default", "recorded"))
    parser.add_argument("--nodes", default="pve1,pve2", help="names of the nodes of a new default lab")
    parser.add_argument("--time-scale", type=float, default=0.1)
    parser.add_argument("--instance", default=secrets.token_hex(8))
    parser.add_argument("--stop-with-stdin", action="store_true", help="stop when the starting process is gone")
    return parser.parse_args()


async def bind(what: str, port: int, start) -> None:
    """Start a listener; a port that is taken is said in one line that the starter shows."""
    try:
        await start
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        print(json.dumps({"error": "port-in-use", "what": what, "port": port}), flush=True)
        sys.exit(PORT_IN_USE)


async def wait_for_end(stop: asyncio.Event, with_stdin: bool) -> None:
    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, stop.set)
    if with_stdin:
        reader = asyncio.StreamReader()
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)

        async def watch() -> None:
            await reader.read()
            stop.set()
        watcher = asyncio.ensure_future(watch())
        await stop.wait()
        watcher.cancel()
        return
    await stop.wait()


async def main(options: argparse.Namespace) -> None:
    directory: Path = options.dir.resolve()
    directory.mkdir(parents=True, exist_ok=True)
    handler = logging.handlers.RotatingFileHandler(directory / "lab.log", maxBytes=5_000_000, backupCount=1)
    logging.basicConfig(level=logging.INFO, handlers=[handler], format="%(asctime)s %(name)s %(levelname)s %(message)s")
    logging.getLogger("asyncssh").setLevel(logging.WARNING)
    logging.getLogger("aiohttp.access").setLevel(logging.WARNING)
    settings = Settings(directory, options.api_port, options.ssh_port, options.image_port, options.control_port,
                        options.seed, options.time_scale, tuple(options.nodes.split(",")))
    pve = LabPve(settings)
    certificate, key = ensure_certificates(directory, sorted(pve.nodes))
    pve.fingerprint = fingerprint(certificate)
    ensure_keys(directory)
    images = ImageServer()
    images.load_fixtures()
    images.add_folder(directory / "images")
    shells = [SshServer(pve, directory, node) for node in sorted(pve.nodes)]
    about = {"lab": str(directory), "pid": os.getpid(), "instance": options.instance}
    control = Control(pve, images, shells, about)
    await bind("API", options.api_port, pve.start(str(certificate), str(key)))
    for number, shell in enumerate(shells):
        # Fixed ports of further nodes follow that of the first.
        port = options.ssh_port + number if options.ssh_port else 0
        await bind(f"SSH of {shell.node}", port, shell.start(HOST, port))
    await bind("image server", options.image_port, images.start(HOST, options.image_port))
    await bind("control interface", options.control_port, control.start(HOST, options.control_port))
    pve.start_cycle()
    pve.save()
    image = images.files[IMAGE_NAME]
    about.update({
        "startedAt": time.time(), "nodes": sorted(pve.nodes),
        "ports": {"api": pve.port, "ssh": shells[0].port, "images": images.port, "control": control.port},
        "sshPorts": {shell.node: shell.port for shell in shells},
        "apiToken": f"{FLEET_TOKEN}={FLEET_TOKEN_SECRET}" if options.seed == "default" else
        f"{ROOT_TOKEN}={ROOT_TOKEN_SECRET}",
        "rootToken": f"{ROOT_TOKEN}={ROOT_TOKEN_SECRET}", "rootPassword": ROOT_PASSWORD,
        "fingerprint": pve.fingerprint,
        "image": {"url": f"http://{HOST}:{images.port}/{IMAGE_NAME}", "size": len(image),
                  "checksum": "sha256:" + hashlib.sha256(image).hexdigest(),
                  "checksumUrl": f"http://{HOST}:{images.port}/SHA256SUMS"}})
    temporary = directory / "lab.json.new"
    temporary.write_text(json.dumps(about, indent=2))
    temporary.replace(directory / "lab.json")
    print(json.dumps({"ready": True}), flush=True)
    logging.getLogger("lab").info("ready: %s", about["ports"])
    await wait_for_end(asyncio.Event(), options.stop_with_stdin)
    pve.stop_cycle()
    pve.save()
    (directory / "lab.json").unlink(missing_ok=True)
    await asyncio.wait_for(asyncio.gather(*(shell.stop() for shell in shells), images.stop(), control.stop(), pve.close_http(),
                                          return_exceptions=True), 3)
    # Connections that clients keep open would hold the API's own stop for a minute.
    os._exit(0)


if __name__ == "__main__":
    asyncio.run(main(parse_arguments()))
