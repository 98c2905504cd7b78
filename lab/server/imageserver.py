"""The web server that images come from: real HTTP on loopback, with the troubles of a real mirror on demand."""

from __future__ import annotations

import asyncio
import base64
import email.utils
import gzip
import hashlib
import json
import time
from dataclasses import dataclass, field
from pathlib import Path

from aiohttp import web

from .settings import FIXTURES_DIR, IMAGE_NAME

CHUNK = 16 * 1024


@dataclass
class Knobs:
    """What the mirror does wrong. The counters go down with each GET of a file that they hit."""

    bytes_per_second: float = 0
    drops: int = 0
    drop_after: int = 65_536
    errors: int = 0
    status: int = 503
    corrupt: int = 0
    stalls: int = 0
    only: str = ""


@dataclass
class ImageServer:
    """Files by name; `log` is what the control interface shows of the requests."""

    files: dict[str, bytes] = field(default_factory=dict)
    knobs: Knobs = field(default_factory=Knobs)
    log: list[dict] = field(default_factory=list)
    runner: web.AppRunner | None = None
    port: int = 0

    def load_fixtures(self) -> None:
        """The recorded node's files, and the image the lab's own stack uses with its SHA256SUMS."""
        known = json.loads((FIXTURES_DIR / "fixtures.json").read_text())
        for name, entry in known.items():
            self.files[name] = gzip.decompress(base64.b64decode(entry["gzip_base64"]))
        self.files[IMAGE_NAME] = self.files["cloud.qcow2"]

    def sums(self) -> bytes:
        return "".join(f"{hashlib.sha256(data).hexdigest()} *{name}\n"
                       for name, data in sorted(self.files.items())).encode()

    def add_folder(self, folder: Path) -> None:
        """Files that someone put into the lab's `images` folder are served too."""
        if folder.is_dir():
            for path in sorted(folder.iterdir()):
                if path.is_file():
                    self.files[path.name] = path.read_bytes()

    async def start(self, host: str, port: int) -> None:
        app = web.Application()
        app.router.add_get("/{name:.*}", self._serve)
        self.runner = web.AppRunner(app, access_log=None)
        await self.runner.setup()
        await web.TCPSite(self.runner, host, port).start()
        self.port = self.runner.addresses[0][1]

    async def stop(self) -> None:
        if self.runner:
            await self.runner.cleanup()

    def _take(self, knob: str, name: str) -> bool:
        left = getattr(self.knobs, knob)
        if not left or (self.knobs.only and self.knobs.only != name):
            return False
        setattr(self.knobs, knob, left - 1)
        return True

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        name = request.match_info["name"]
        entry = {"time": time.time(), "method": request.method, "path": "/" + name, "status": 200, "bytes": 0}
        self.log.append(entry)
        data = self.sums() if name == "SHA256SUMS" else self.files.get(name)
        if data is None:
            entry["status"] = 404
            return web.Response(status=404, reason="File not found", text="File not found\n")
        reading = request.method == "GET"
        if reading and self._take("errors", name):
            entry["status"] = self.knobs.status
            return web.Response(status=self.knobs.status)
        etag = hashlib.sha256(data).hexdigest()[:32]
        kind = "text/plain" if name == "SHA256SUMS" else \
            "application/x-iso9660-image" if name.endswith(".iso") else "application/octet-stream"
        headers = {"ETag": f'"{etag}"', "Content-Length": str(len(data)), "Content-Type": kind,
                   "Accept-Ranges": "none", "Last-Modified": email.utils.formatdate(1767225600, usegmt=True)}
        response = web.StreamResponse(headers=headers)
        await response.prepare(request)
        if not reading:
            return response
        if self._take("corrupt", name):
            middle = len(data) // 2
            data = data[:middle] + bytes([data[middle] ^ 0xFF]) + data[middle + 1:]
        stop_at = self.knobs.drop_after if self._take("drops", name) else None
        stall = self._take("stalls", name)
        for start in range(0, len(data), CHUNK):
            if stop_at is not None and start >= min(stop_at, len(data) - 1):
                request.transport.abort()
                return response
            if stall and start:
                await asyncio.sleep(3600)
            chunk = data[start: start + CHUNK]
            await response.write(chunk)
            entry["bytes"] += len(chunk)
            if self.knobs.bytes_per_second:
                await asyncio.sleep(len(chunk) / self.knobs.bytes_per_second)
        await response.write_eof()
        return response
