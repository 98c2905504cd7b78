"""download-url and query-url-metadata: the node really fetches, really checks, and says what wget would say."""

from __future__ import annotations

import asyncio
import bz2
import gzip
import hashlib
import os
import re
import shutil
import subprocess
import time
import urllib.parse
from collections.abc import Callable
from pathlib import Path

import aiohttp
from fakepve import schema as pve_schema
from fakepve.model import PveError, TaskError
from fakepve.routing import die, split_list

from . import qcow2
from .tasks import Task
from .volumes import EXTENSIONS

CHUNK = 32 * 1024
COMPRESSIONS = ["bz2", "gz", "lzo", "zst"]
STALL = aiohttp.ClientTimeout(total=None, sock_connect=20, sock_read=30)


def complete_schema() -> None:
    """The schema that fakepve carries has lost the names of the compressions."""
    spec = pve_schema.load().paths["/nodes/{node}/storage/{storage}/download-url"]["POST"]["parameters"]
    spec["properties"]["compression"]["enum"] = COMPRESSIONS


complete_schema()


def short_size(size: int) -> str:
    """wget's rounding: 192K, 1.5M."""
    for unit in ("", "K", "M", "G"):
        if size < 1024 or unit == "G":
            return f"{size:.1f}{unit}" if size < 10 and unit else f"{round(size)}{unit}"
        size = size / 1024
    return str(size)


def wget_time() -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S")


class Progress:
    """wget's dots: a line per 64 KiB of a small file, per 3 MiB of a big one, and one each second at least."""

    def __init__(self, total: int | None, log: Callable[[str], None]):
        self.total, self.log = total, log
        self.step = 3 * 1024**2 if (total or 0) > 8 * 1024**2 else max(64 * 1024, (total or 0) // 16)
        self.started = self.last = time.monotonic()
        self.done = self.shown = 0

    def add(self, size: int) -> None:
        self.done += size
        now = time.monotonic()
        if self.done - self.shown < self.step and now - self.last < 1:
            return
        self.shown, self.last = self.done, now
        rate = self.done / max(now - self.started, 0.001)
        line = f"{self.done // 1024:6}K ........ ........ ........ ........"
        if self.total:
            left = int((self.total - self.done) / rate) if rate else 0
            line += f" {self.done * 100 // self.total:3}% {short_size(int(rate))} {left}s"
        else:
            line += f" {short_size(int(rate))}"
        self.log(line)


class DownloadApi:
    """Mixin: fetching files from the web to a datastore."""

    def _routes_lab_downloads(self):
        return [("GET", "/nodes/{node}/query-url-metadata", self.url_metadata)]

    def init_downloads(self) -> None:
        self._http_client: aiohttp.ClientSession | None = None

    def http(self) -> aiohttp.ClientSession:
        """One client for the node; it ignores proxies of this machine, a node has its own."""
        if self._http_client is None:
            self._http_client = aiohttp.ClientSession(timeout=STALL, auto_decompress=False)
        return self._http_client

    async def close_http(self) -> None:
        if self._http_client is not None:
            await self._http_client.close()

    async def url_metadata(self, values: dict, user: str) -> dict:
        url = values["url"]
        parts = urllib.parse.urlsplit(url)
        try:
            async with self.http().head(url, allow_redirects=True) as answer:
                if answer.status != 200:
                    raise die(f"invalid server response: '{answer.status} {answer.reason}'")
                name = os.path.basename(urllib.parse.unquote(answer.url.path))
                found = re.search(r'filename="?([^";]+)', answer.headers.get("Content-Disposition", ""))
                data = {"filename": found.group(1) if found else name,
                        "size": int(answer.headers.get("Content-Length", 0))}
                if answer.content_type:
                    data["mimetype"] = answer.content_type
                return data
        except aiohttp.ClientConnectorDNSError:
            raise die("invalid server response: '500 Can't connect to "
                      f"{parts.hostname}:{parts.port or 80} (Name or service not known)'") from None
        except (aiohttp.ClientError, OSError) as error:
            reason = "Connection refused" if "refused" in str(error).lower() or isinstance(
                getattr(error, "os_error", None), ConnectionRefusedError) else str(error)
            raise die("invalid server response: '500 Can't connect to "
                      f"{parts.hostname}:{parts.port or 80} ({reason})'") from None

    async def download_url(self, values: dict, user: str) -> str:
        storage, node, content, name = values["storage"], values["node"], values["content"], values["filename"]
        store = self._active_store(storage, node)
        if not self.is_dir(storage):
            raise die(f"can't upload to storage type '{store.get('type')}', not a file based storage!")
        if content not in split_list(store.get("content")):
            raise die(f"storage '{storage}' is not configured for content-type '{content}'")
        if content == "import" and self.version_tuple() < (8, 4):
            raise PveError(400, "Parameter verification failed.", {
                "content": "value 'import' does not have a value in the enumeration 'iso, vztmpl'"})
        # As PVE: a path is cut off, and what no file name should have becomes `_`.
        name = re.sub(r"[^\w.-]", "_", re.sub(r"\s", "_", re.sub(r"^.*[/\\]", "", name)), flags=re.ASCII)
        if ".." in name or not re.search(EXTENSIONS[content], name):
            raise PveError(400, "Parameter verification failed.", {"filename": "invalid filename or wrong extension"})
        compression = values.get("compression")
        if compression and content != "iso":
            raise die(f"decompression not supported for {content}")
        target = f"{self.folder(storage, content)}/{name}"
        checksum, algorithm = values.get("checksum"), values.get("checksum-algorithm")

        async def body(task: Task) -> None:
            task.log(f"downloading {values['url']} to {target}")
            real = self.real_path(node, target)
            if real.exists():
                await self._existing(task, real, target, checksum, algorithm)
                return
            real.parent.mkdir(parents=True, exist_ok=True)
            shown = f"{target}.tmp_dwnl.{task.record['pid']}"
            temporary = real.with_name(f"{real.name}.tmp_dwnl.{task.record['pid']}")
            try:
                await self._fetch(task, values["url"], temporary, shown, storage, node)
                if checksum:
                    await self._verify_sum(task, temporary, checksum, algorithm)
                if compression:
                    await asyncio.to_thread(self._decompress, task, temporary, compression, shown)
                if content == "import":
                    self._verify_image(task, temporary, name, shown)
                # Two downloads of one name do not see each other: the last one that ends wins.
                temporary.rename(real)
            finally:
                temporary.unlink(missing_ok=True)
            task.log(f"download of '{values['url']}' to '{target}' finished")
        return await self.start_task(node, "download", name, user, body)

    async def _existing(self, task: Task, real: Path, target: str, checksum: str | None, algorithm: str | None) -> None:
        if not checksum:
            raise TaskError(f"refusing to override existing file '{target}'")
        got = await asyncio.to_thread(self._sum_of, real, algorithm)
        if got.lower() != checksum.lower():
            task.log("calculating checksum of existing file...")
            raise TaskError(f"checksum mismatch: got '{got}' != expect '{checksum}', aborting")
        task.log("calculating checksum of existing file...OK, got correct file already, no need to download")

    @staticmethod
    def _sum_of(path: Path, algorithm: str) -> str:
        digest = hashlib.new(algorithm)
        with path.open("rb") as file:
            while block := file.read(1024**2):
                digest.update(block)
        return digest.hexdigest()

    async def _verify_sum(self, task: Task, path: Path, checksum: str, algorithm: str) -> None:
        got = await asyncio.to_thread(self._sum_of, path, algorithm)
        if got.lower() != checksum.lower():
            task.log("calculating checksum...")
            raise TaskError(f"checksum mismatch: got '{got}' != expect '{checksum}'")
        task.log("calculating checksum...OK, checksum verified")

    async def _fetch(self, task: Task, url: str, path: Path, shown: str, storage: str, node: str) -> None:
        """wget: three lines before the first byte, dots while it loads, exit codes when it fails."""
        parts = urllib.parse.urlsplit(url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        where = f"{parts.hostname}:{port}"
        task.log(f"--{wget_time()}--  {url}")
        try:
            async with self.http().get(url) as answer:
                task.log(f"Connecting to {where}... connected.")
                line = f"HTTP request sent, awaiting response... {answer.status} {answer.reason}"
                task.log(line)
                if answer.status >= 400:
                    task.log(f"{wget_time()} ERROR {answer.status}: {answer.reason}.")
                    raise TaskError("download failed: exit code 8")
                total = int(answer.headers["Content-Length"]) if "Content-Length" in answer.headers else None
                size = "unspecified" if total is None else \
                    f"{total} ({short_size(total)})" if total >= 1024 else str(total)
                task.log(f"Length: {size} [{answer.content_type}]")
                task.log(f"Saving to: '{shown}'")
                progress = Progress(total, task.log)
                with path.open("wb") as out:
                    async for chunk in answer.content.iter_chunked(CHUNK):
                        _, _, avail = self.space(storage, node)
                        if avail < len(chunk):
                            task.log(f"Cannot write to '{shown}' (No space left on device).")
                            raise TaskError("download failed: exit code 3")
                        out.write(chunk)
                        progress.add(len(chunk))
                task.log(f"{wget_time()} - '{shown}' saved [{progress.done}/{total or progress.done}]")
        except aiohttp.ClientPayloadError:
            task.log(f"{wget_time()} - Connection closed at byte {path.stat().st_size if path.exists() else 0}. "
                     "Retrying.")
            raise TaskError("download failed: exit code 4") from None
        except aiohttp.ClientConnectorDNSError:
            raise TaskError(f"download failed: wget: unable to resolve host address '{parts.hostname}'") from None
        except aiohttp.ClientConnectorError as error:
            if isinstance(error.os_error, ConnectionRefusedError):
                raise TaskError(f"download failed: Connecting to {where}... failed: Connection refused.") from None
            raise TaskError(f"download failed: Connecting to {where}... failed: {error.os_error}.") from None
        except (aiohttp.ClientError, asyncio.TimeoutError, OSError) as error:
            task.log(f"Read error ({error}) in headers.")
            raise TaskError("download failed: exit code 4") from None

    @staticmethod
    def _decompress(task: Task, path: Path, compression: str, shown: str) -> None:
        """PVE unpacks ISO images with the tool for the name: gz, lzo, zst, bz2."""
        tool = {"gz": "gzip", "lzo": "lzop", "zst": "zstd", "bz2": "bzip2"}.get(compression)
        if tool is None:
            raise die(f"unknown compression '{compression}'")
        task.log(f"decompressing {shown} with {tool}")
        packed = path.read_bytes()
        try:
            if compression == "gz":
                plain = gzip.decompress(packed)
            elif compression == "bz2":
                plain = bz2.decompress(packed)
            else:
                plain = unpack_with(tool, packed)
        except (OSError, EOFError, ValueError) as error:
            raise TaskError(f"decompression failed: {tool}: {error}") from None
        path.write_bytes(plain)

    @staticmethod
    def _verify_image(task: Task, path: Path, name: str, shown: str) -> None:
        fmt = name.rsplit(".", 1)[-1]
        if fmt not in ("qcow2", "raw"):
            return
        try:
            qcow2.inspect(path, fmt)
        except qcow2.BadImage as error:
            task.log(f"command '/usr/bin/qemu-img info '--output=json' {shown} -f {fmt}' failed: exit code 1")
            raise TaskError(f"failed to verify file: qemu-img: Could not open '{shown}': {error}") from None


def unpack_with(tool: str, packed: bytes) -> bytes:
    """Formats Python has no module for are unpacked by the machine's own tool, where it is installed."""
    if shutil.which(tool) is None:
        raise OSError(f"the machine that runs the lab has no '{tool}'")
    run = subprocess.run([tool, "-d", "-c"], input=packed, capture_output=True, check=False)
    if run.returncode:
        raise OSError(run.stderr.decode(errors="replace").strip() or f"exit code {run.returncode}")
    return run.stdout
