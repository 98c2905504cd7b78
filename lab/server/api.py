"""How PVE's HTTP server answers, where fakepve's differs: 401s, unknown methods, trailing slashes, booleans in forms,
and the log of requests that tests read.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import logging
import re
import time
import urllib.parse
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from aiohttp import web
from fakepve import schema as pve_schema
from fakepve import server
from fakepve.model import PveError
from fakepve.server import API, FORMATS, USER, collect

from .tasks import HICCUP

log = logging.getLogger("lab.api")
SECRETS = {"password", "new-password", "confirmation-password", "cipassword", "ticket", "vncticket", "otp",
           "tfa-challenge", "value"}
# Requests that the log keeps.
LOG_SIZE = 50_000
# Seconds PVE lets a caller wait who could not be authenticated.
REFUSAL_DELAY = 3.0
# Seconds until a node gives up to reach another one in the same network that has no power.
NO_ROUTE_DELAY = 3.0
# AnyEvent's own: they have a reason and no body.
PROXY_ERRORS = (595, 596, 597, 598, 599)
# Calls below /nodes/{node} that every node answers itself: lists of what there is further down.
NOT_PROXIED = {("GET", "/nodes/{node}"), ("GET", "/nodes/{node}/qemu/{vmid}"), ("GET", "/nodes/{node}/qemu/{vmid}/status"),
               ("GET", "/nodes/{node}/storage/{storage}"), ("GET", "/nodes/{node}/tasks/{upid}")}
FORM = "application/x-www-form-urlencoded"
BODY_TYPES = ("application/json", FORM, "multipart/form-data", "application/octet-stream")
ENTRY = web.RequestKey("lab_entry", dict)


@dataclass
class Ambush:
    """Something happens to the cluster right before the next `times` matching requests are carried out."""

    method: str
    path: str
    times: int
    act: Callable[[], Any]


def answer_error(status: int, message: str, newline: bool = True) -> web.Response:
    body = {"data": None, "message": message + ("\n" if newline else "")}
    return web.json_response(body, status=status, reason=message[:200])


async def read_params(request) -> dict:
    """Parameters of a request. Unlike fakepve, an empty value is a value: `tags=` empties the tags."""
    values = collect(request.query.items())
    body = await request.read()
    if not body or request.content_type == "multipart/form-data":
        return values
    try:
        if request.content_type == "application/json":
            values.update(json.loads(body))
        else:
            values.update(collect(urllib.parse.parse_qsl(body.decode(), keep_blank_values=True)))
    except (ValueError, TypeError):
        raise PveError(400, "malformed request body") from None
    return values


# fakepve looks this function up each time it is called.
server.params = read_params


def hide_secrets(values: dict) -> dict:
    """Parameters as the log shows them."""
    return {k: "***" if k in SECRETS else v for k, v in values.items()}


class HttpApi:
    """Mixin: the HTTP layer."""

    def init_http(self) -> None:
        self.log_entries: list[dict] = []
        self.log_number = 0
        # Connections to cut: {"method", "path", "times", "when": "before" | "after"}.
        self.cuts: list[dict] = []
        # What happens right before matching requests are carried out.
        self.ambushes: list[Ambush] = []
        self.expired_tokens: set[str] = set()

    # -------------------------------------------------------------- routing

    def _build_app(self):
        qemu = "/nodes/{node}/qemu"
        one = qemu + "/{vmid}"
        task = "/nodes/{node}/tasks/{upid}"
        # fakepve's own routes for these come first: its methods of these names are replaced.
        self.core = (
                ("_version", "/version", self.version_get),
                ("_nodes", "/nodes", self.node_list),
                ("_resources", "/cluster/resources", self.cluster_resources),
                ("_cluster_status", "/cluster/status", self.cluster_status),
                ("_task_list", "/nodes/{node}/tasks", self.task_list),
                ("_task_status", task + "/status", self.task_status),
                ("_task_log", task + "/log", self.task_log),
                ("_download_url", "/nodes/{node}/storage/{storage}/download-url", self.download_url),
                ("_qemu_list", qemu, self.guest_list),
                ("_status_current", one + "/status/current", self.guest_current),
                ("_config_get", one + "/config", self.config_get),
                ("_config_put", one + "/config", self.config_put),
                ("_config_post", one + "/config", self.config_post),
                ("_pending", one + "/pending", self.config_pending))
        for name, template, handler in self.core:
            setattr(self, name, self._stateful_handler(template, handler))
        return super()._build_app()

    def _register_stateful(self, router, prefixes):
        """The lab's own routes first, each with and without the slash that some clients put at the end."""
        for name in sorted(n for n in dir(self) if n.startswith("_routes_lab")):
            for method, template, handler in getattr(self, name)():
                path = re.sub(r"\{(volume)\}", r"{\1:.+}", template)
                for prefix in prefixes:
                    serve = self._stateful_handler(template, handler)
                    router.add_route(method, prefix + path, serve)
                    if not path.endswith(":.+}"):
                        router.add_route(method, prefix + path + "/", serve)
        methods = {"_download_url": "POST", "_config_put": "PUT", "_config_post": "POST"}
        for name, template, _ in self.core:
            for prefix in prefixes:
                router.add_route(methods.get(name, "GET"), prefix + template + "/", getattr(self, name))
        super()._register_stateful(router, prefixes)

    # ------------------------------------------------------------ one request

    def _cut(self, request, when: str) -> bool:
        for rule in self.cuts:
            if rule["when"] == when and rule["method"] in ("*", request.method) and rule["times"] > 0 \
                    and self._failure_matches(request, None, rule["path"]):
                rule["times"] -= 1
                return True
        return False

    @web.middleware
    async def _middleware(self, request, handler):
        if self._cut(request, "before"):
            request.transport.close()
            raise ConnectionResetError("lab: connection cut before the request was done")
        started = time.monotonic()
        try:
            response = self._refuse_body(request) or await super()._middleware(request, handler)
        except web.HTTPNotFound:
            response = answer_error(501, self._not_implemented(request), newline=False)
        except web.HTTPException as error:
            response = answer_error(error.status, error.reason)
        except asyncio.CancelledError:
            raise
        entry = request.get(ENTRY)
        if entry is not None:
            entry["status"] = response.status
            entry["seconds"] = round(time.monotonic() - started, 4)
            if request.method != "GET" or response.status >= 400:
                log.info("%s %s %s: %s %s", entry["user"], request.method, entry["path"], response.status,
                         response.reason)
        if request.method not in ("GET", "HEAD"):
            self.changed()
            if self._path_of(request).startswith(("/access", "/pools")):
                self.forget_rights()
        if response.status in PROXY_ERRORS:
            response = web.Response(status=response.status, reason=response.reason)
        if response.status == 401 and not request.path.endswith("/access/ticket"):
            await self.pause(REFUSAL_DELAY)
            response = web.Response(status=401, reason=response.reason)
        if self._cut(request, "after"):
            request.transport.close()
            raise ConnectionResetError("lab: connection cut after the request was done")
        return response

    @staticmethod
    def _refuse_body(request) -> web.Response | None:
        if not request.can_read_body:
            return None
        if request.method not in ("POST", "PUT"):
            return answer_error(501, f"Unexpected content for method '{request.method}'", newline=False)
        if "Content-Type" in request.headers and request.content_type not in BODY_TYPES:
            return answer_error(506, f"upload 'Content-Type '{request.headers['Content-Type']}' not implemented",
                                newline=False)
        return None

    @staticmethod
    def _path_of(request) -> str:
        raw = request.rel_url.raw_path
        for prefix in FORMATS:
            if raw.startswith(prefix):
                raw = raw[len(prefix):]
        return raw or "/"

    def _not_implemented(self, request) -> str:
        return f"Method '{request.method} {self._path_of(request)}' not implemented"

    def is_online(self, node: str) -> bool:
        return self.nodes.get(node, {}).get("online", True)

    async def _answer(self, request, handler, generic, path_node):
        for ambush in self.ambushes:
            if ambush.times > 0 and ambush.method in ("*", request.method) \
                    and self._failure_matches(request, generic, ambush.path):
                ambush.times -= 1
                done = ambush.act()
                if inspect.isawaitable(done):
                    await done
        HICCUP.set(next((rule for rule in self.hiccups if rule.times > 0 and rule.method == request.method
                         and self._failure_matches(request, generic, rule.path)), None))
        if path_node not in self.nodes or self.is_online(path_node):
            return await super()._answer(request, handler, generic, path_node)
        return await self._unreachable(request) or await super()._answer(request, handler, generic, None)

    async def _unreachable(self, request) -> web.Response | None:
        """A call that is passed on to a node without power: the caller's rights are looked at before, parameters never.

        The status is AnyEvent's, its reason the system's own words, and there is no body.
        """
        match = self.resolve(request, API)
        if match is None or request.method not in match.methods:
            raise web.HTTPNotFound()
        if (request.method, match.template) in NOT_PROXIED:
            return None
        try:
            info, params = match.methods[request.method], await read_params(request)
            spec = (info.get("parameters") or {}).get("properties") or {}
            self.check_permissions(request[USER], info.get("permissions"), {**params, **match.params}, spec)
        except PveError as error:
            return answer_error(error.status, error.message)
        await self.pause(NO_ROUTE_DELAY)
        return web.Response(status=595, reason="No route to host")

    async def answer(self, request, match, params, user, call=None):
        """PVE's order: is there such a method, may the caller, is there such a node, and only then the parameters."""
        if match is None or request.method not in match.methods:
            raise web.HTTPNotFound()
        info = match.methods[request.method]
        spec = (info.get("parameters") or {}).get("properties") or {}
        self.check_permissions(user, info.get("permissions"), {**params, **match.params}, spec)
        node = match.params.get("node")
        if node is not None and node not in self.nodes:
            raise PveError(500, f"hostname lookup '{node}' failed - failed to get address info for: {node}: "
                                "Name or service not known")
        errors = {}
        for name, value in params.items():
            prop = pve_schema._prop(spec, name)
            if prop and prop.get("type") == "boolean" and isinstance(value, str) and value not in ("0", "1"):
                errors[name] = f"type check ('boolean') failed - got '{value}'"
        if errors:
            raise PveError(400, "Parameter verification failed.", errors)
        return await super().answer(request, match, params, user, call)

    async def synthesise(self, match, method, info, user, values):
        """What nobody models: a list is empty, a write is refused; the rest fakepve fills with samples."""
        if method != "GET":
            raise PveError(501, f"the lab does not model '{method} {match.template}'")
        returns = info.get("returns") or {}
        # A directory of the API (it has named children) lists those.
        if returns.get("type") == "array" and not pve_schema.load().children(match.template):
            return []
        return await super().synthesise(match, method, info, user, values)

    def _failure_matches(self, request, generic, suffix):
        return super()._failure_matches(request, generic, suffix) or request.path.rstrip("/").endswith(suffix)

    def _authenticate(self, request):
        given = request.headers.get("Authorization", "")
        if given.startswith("PVEAPIToken="):
            name, _, secret = given[len("PVEAPIToken="):].partition("=")
            token = self.tokens.get(name)
            if token is None or token.secret != secret or name in self.expired_tokens \
                    or (token.expire and token.expire < time.time()):
                raise PveError(401, "Authentication failed!")
            return name
        if request.path in tuple(p + "/access/ticket" for p in FORMATS):
            return None
        if "PVEAuthCookie" not in request.cookies:
            raise PveError(401, "No ticket")
        return super()._authenticate(request)

    async def _ticket(self, request):
        from fakepve.server import ok, params
        values = await params(request)
        name = str(values.get("username", ""))
        if "@" not in name:
            name += "@" + str(values.get("realm") or "pam")
        if not self.check_password(name, values.get("password", "")):
            await self.pause(REFUSAL_DELAY)
            raise PveError(401, "authentication failure")
        if name in self.second_factors:
            return ok({"ticket": f"PVE:!tfa!{uuid.uuid4().hex}", "CSRFPreventionToken": uuid.uuid4().hex, "username": name,
                       "NeedTFA": 1, "clustername": self.cluster_name})
        ticket, csrf = self.issue_ticket(name)
        return ok({"ticket": ticket, "CSRFPreventionToken": csrf, "username": name,
                   "clustername": self.cluster_name, "cap": {}})

    # -------------------------------------------------------------------- log

    def _record(self, request, body: bytes) -> None:
        values = collect(request.query.items())
        if body and request.content_type == "application/json":
            try:
                values.update(json.loads(body))
            except (ValueError, TypeError):
                pass
        elif body and request.content_type != "multipart/form-data":
            values.update(collect(urllib.parse.parse_qsl(body.decode(errors="replace"), keep_blank_values=True)))
        self.log_number += 1
        entry = {"n": self.log_number, "time": time.time(), "method": request.method,
                 "path": urllib.parse.unquote(self._path_of(request)), "params": hide_secrets(values),
                 "user": request.get(USER), "agent": request.headers.get("User-Agent", "")}
        request[ENTRY] = entry
        self.log_entries.append(entry)
        del self.log_entries[:-LOG_SIZE]

    def report(self, where: str, error: BaseException) -> None:
        """A fault of the lab itself."""
        log.error("%s: %r", where, error, exc_info=error)
