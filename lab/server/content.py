"""Status and content of datastores: what is really there, per node."""

from __future__ import annotations

import re

from fakepve.model import PveError
from fakepve.routing import die, param_error, split_list

from . import qcow2
from .drives import split_volid
from .tasks import Task
from .volumes import BLOCK, FOLDERS, round_up

SECTOR = 512


class ContentApi:
    """Mixin: /nodes/{node}/storage/…"""

    def _routes_lab_content(self):
        content = "/nodes/{node}/storage/{storage}/content"
        return [("GET", content, self.content_list), ("GET", content + "/{volume}", self.content_get),
                ("DELETE", content + "/{volume}", self.content_delete)]

    def _status_item(self, name, node, formats=False):
        item = super()._status_item(name, node, formats)
        if item["active"]:
            item["total"], item["used"], item["avail"] = self.space(name, node)
        return item

    def _storage_resource(self, node, name):
        item = super()._storage_resource(node, name)
        if item and self.is_online(node):
            item["maxdisk"], item["disk"], _ = self.space(name, node)
        elif item:
            item["status"] = "unknown"
            del item["maxdisk"], item["disk"]
        return item

    def _sees(self, user: str, storage: str, content: str, vmid: int | None) -> bool:
        path = "/storage/" + storage
        if self.allowed(user, path, "Datastore.Allocate"):
            return True
        if content == "snippets":
            # PVE::Storage::check_volume_access knows no rule for snippets: whoever may not allocate does not see them.
            return False
        if content in ("iso", "vztmpl", "import"):
            return self.allowed(user, path, "Datastore.AllocateSpace") or self.allowed(user, path, "Datastore.Audit")
        return self.allowed(user, path, "Datastore.Audit") and \
            (vmid is None or self.allowed(user, f"/vms/{vmid}", "VM.Config.Disk"))

    async def content_list(self, values: dict, user: str) -> list[dict]:
        storage, node, wanted = values["storage"], values["node"], values.get("content")
        store = self._active_store(storage, node)
        kinds = [k for k in split_list(store.get("content")) if wanted in (None, k)]
        items = []
        if "images" in kinds or "rootdir" in kinds:
            for name, volume in self.volumes_of(storage, node).items():
                if values.get("vmid") in (None, volume.vmid) and self._sees(user, storage, "images", volume.vmid):
                    parent = None
                    if volume.parent:
                        parent = "../" + volume.parent
                    items.append({"volid": f"{storage}:{name}", "content": "images", "format": volume.format,
                                  "size": volume.size, "used": volume.used, "ctime": volume.ctime,
                                  "vmid": volume.vmid, "parent": parent})
        for kind in kinds if values.get("vmid") is None else []:
            for path in self.files_of(storage, node, kind):
                if self._sees(user, storage, kind, None):
                    stat = path.stat()
                    fmt = {"iso": "iso", "snippets": "snippet"}.get(kind) or path.name.rsplit(".", 1)[-1]
                    if kind == "vztmpl":
                        fmt = "t" + path.name.rsplit(".", 1)[-1]
                    items.append({"volid": f"{storage}:{kind}/{path.name}", "content": kind, "format": fmt,
                                  "size": stat.st_size, "ctime": int(stat.st_mtime)})
        return sorted(items, key=lambda item: item["volid"])

    def _target(self, values: dict) -> tuple[str, str, str]:
        """(volume id, kind of content, volume name) of a content path."""
        volume, storage = values["volume"], values["storage"]
        if ":" not in volume:
            volume = f"{storage}:{volume}"
        owner, name = split_volid(volume)
        if owner != storage:
            raise param_error(volume=f"storage ID mismatch ({owner} != {storage})\n")
        self._store(storage)
        if self.is_dir(storage):
            kind = name.partition("/")[0]
            if kind not in FOLDERS:
                kind = "images"
                if not re.search(r"(?:^|/)\d+/(?:vm|base)-\d+-[^/\s]+\.(?:raw|qcow2|vmdk)$", name):
                    raise die(f"unable to parse directory volume name '{name}'")
            elif ".." in name or not re.fullmatch(r"\w+/[^/\s]+", name):
                raise die(f"unable to parse directory volume name '{name}'")
            return volume, kind, name
        if not re.match(r"^(?:vm|base)-\d+-\S+$", name):
            raise die(f"unable to parse lvm volume name '{name}'")
        return volume, "images", name

    async def content_get(self, values: dict, user: str) -> dict:
        volid, kind, _ = self._target(values)
        node, storage = values["node"], values["storage"]
        volume = self.volume(volid, node)
        owner = volume.vmid if volume else None
        if not self._sees(user, storage, kind, owner):
            raise PveError(403, f"Permission check failed (/storage/{storage}, "
                                "Datastore.AllocateSpace|Datastore.Audit)")
        path = self.volume_path(volid)
        if volume:
            return {"path": path, "format": volume.format, "size": volume.size, "used": volume.used or volume.size}
        real = self.file_of(volid, node)
        if real is None:
            raise die(f"volume_size_info on '{volid}' failed - no format")
        used = round_up(real.stat().st_size, BLOCK)
        if kind == "import":
            try:
                info = qcow2.inspect(real)
                return {"path": path, "format": info.format, "size": info.size, "used": used}
            except qcow2.BadImage:
                pass
        return {"path": path, "format": "raw", "size": round_up(real.stat().st_size, SECTOR), "used": used}

    async def content_delete(self, values: dict, user: str) -> str:
        volid, kind, name = self._target(values)
        node, storage = values["node"], values["storage"]
        volume = self.volume(volid, node)
        owner = re.search(r"(?:^|/)(?:vm|base)-(\d+)-", name) if kind == "images" else None
        self.require(user, "/storage/" + storage, "Datastore.Allocate")

        async def body(task: Task) -> None:
            if volume and self.base_in_use(volid, node):
                raise die(f"base volume '{name}' is still in use by linked cloned")
            if volume:
                self.free(volid, node)
            else:
                real = self.file_of(volid, node)
                if real is None:
                    task.log(f"disk image '{self.volume_path(volid)}' does not exist")
                else:
                    real.unlink()
            task.log(f"Removed volume '{volid}'")
        ident = f"{owner.group(1)}@{storage}" if owner else storage
        return await self.start_task(node, "imgdel", ident, user, body)
