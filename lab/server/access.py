"""Users, tokens, roles and ACLs with PVE's rules: the deepest path wins, a token with privsep has its own rights."""

from __future__ import annotations

import re
import time
import uuid
from dataclasses import dataclass

from aiohttp import web
from fakepve import shapes
from fakepve.model import PveError
from fakepve.routing import die, param_error, split_list

from .settings import FLEET_TOKEN, FLEET_TOKEN_SECRET, FLEET_USER, ROOT_TOKEN, ROOT_TOKEN_SECRET, fleet_role

ALL = frozenset(shapes.PRIVILEGES)
VM_ADMIN = {p for p in ALL if p.startswith("VM.")} | {"VM.Monitor"}
BUILT_IN: dict[str, set[str]] = {
    "Administrator": set(ALL) | {"VM.Monitor"},
    "NoAccess": set(),
    "PVEAdmin": {p for p in ALL | {"VM.Monitor"} if p not in ("Permissions.Modify", "Sys.Modify", "Sys.PowerMgmt", "Realm.Allocate")},
    "PVEAuditor": {"Datastore.Audit", "Mapping.Audit", "Pool.Audit", "SDN.Audit", "Sys.Audit", "VM.Audit",
                   "VM.GuestAgent.Audit"},
    "PVEDatastoreAdmin": {p for p in ALL if p.startswith("Datastore.")},
    "PVEDatastoreUser": {"Datastore.AllocateSpace", "Datastore.Audit"},
    "PVEMappingAdmin": {p for p in ALL if p.startswith("Mapping.")},
    "PVEMappingAuditor": {"Mapping.Audit"},
    "PVEMappingUser": {"Mapping.Audit", "Mapping.Use"},
    "PVEPoolAdmin": {"Pool.Allocate", "Pool.Audit"},
    "PVEPoolUser": {"Pool.Audit"},
    "PVESDNAdmin": {"SDN.Allocate", "SDN.Audit", "SDN.Use"},
    "PVESDNUser": {"SDN.Audit", "SDN.Use"},
    "PVESysAdmin": {"Sys.Audit", "Sys.Console", "Sys.Syslog"},
    "PVETemplateUser": {"VM.Audit", "VM.Clone"},
    "PVEVMAdmin": VM_ADMIN,
    "PVEVMUser": {"VM.Audit", "VM.Backup", "VM.Config.CDROM", "VM.Config.Cloudinit", "VM.Console",
                  "VM.GuestAgent.Audit", "VM.GuestAgent.Unrestricted", "VM.PowerMgmt"},
}
# PVE before 9 has one privilege for QEMU's monitor and for all that the guest agent does.
MONITOR = "VM.Monitor"
# What an ACL path may begin with (PVE::AccessControl::check_path).
ACL_ROOTS = ("", "access", "mapping", "nodes", "pool", "sdn", "storage", "vms")
# Paths that /access/permissions always looks at.
BASE_PATHS = ("/", "/access", "/access/groups", "/access/realm", "/nodes", "/pool", "/sdn", "/storage", "/vms")


@dataclass
class AclEntry:
    path: str
    who: str
    role: str
    propagate: int = 1


@dataclass
class Token:
    secret: str
    privsep: int = 1
    expire: int = 0


def ancestors(path: str) -> list[str]:
    """'/', '/vms', '/vms/100' for '/vms/100'."""
    parts = [p for p in path.split("/") if p]
    return ["/"] + ["/" + "/".join(parts[:n]) for n in range(1, len(parts) + 1)]


class AccessApi:
    """Mixin: who may do what."""

    def init_access(self) -> None:
        self.roles: dict[str, set[str]] = {name: set(privs) for name, privs in BUILT_IN.items()}
        self.entries: list[AclEntry] = []
        self.tokens: dict[str, Token] = {ROOT_TOKEN: Token(ROOT_TOKEN_SECRET, privsep=0)}
        # What is not as with every new user: {user: {"enable", "expire", "comment"}}.
        self.user_info: dict[str, dict] = {}
        # Users who are asked for a second factor when they log in with a password.
        self.second_factors: list[str] = []
        # What was worked out of all that: {(user, path): privileges}.
        self._rights: dict[tuple[str, str], dict[str, int]] = {}
        # fakepve asks this one whether there are permissions at all.
        self.acl = {}

    def seed_fleet_user(self) -> None:
        """The least-privilege user that real clusters should give the program."""
        self.users[FLEET_USER] = "lab-Secret1"
        self.tokens[FLEET_TOKEN] = Token(FLEET_TOKEN_SECRET, privsep=0)
        for path, privileges in fleet_role().items():
            role = "GoldenFleet" + "".join(part.capitalize() for part in path.split("/") if part)
            self.roles[role] = set(privileges)
            self.entries.append(AclEntry(path, FLEET_USER, role))

    # ----------------------------------------------------------- evaluation

    def _roles(self, who: str, path: str) -> dict[str, int]:
        """{role: propagates} that the ACL gives one user or token id: the deepest path that says something."""
        roles: dict[str, int] = {}
        for level in ancestors(path):
            here = {e.role: e.propagate for e in self.entries
                    if e.who == who and e.path == level and (e.propagate or level == path)}
            if here:
                roles = here
        return {"NoAccess": roles["NoAccess"]} if "NoAccess" in roles else roles

    def _own(self, who: str, path: str) -> dict[str, int]:
        """{privilege: propagates} of one user or token id, with what it has by the pool that a VM or datastore is in."""
        roles = self._roles(who, path)
        for pool in self._pools_of(path) if "NoAccess" not in roles else ():
            by_pool = self._roles(who, "/pool/" + pool)
            # Being shut out of the pool counts for more than any role on the path; other roles add up.
            roles = {"NoAccess": 0} if "NoAccess" in by_pool else {**dict.fromkeys(by_pool, 0), **roles}
        held: dict[str, int] = {}
        for role, propagate in roles.items():
            for privilege in self.roles.get(role, set()) & self.known_privileges():
                held[privilege] = max(held.get(privilege, 0), propagate)
        return held

    def _pools_of(self, path: str) -> list[str]:
        parts = path.split("/")
        if len(parts) == 3 and parts[1] == "vms" and parts[2].isdigit():
            return [name for name, members in self.pools.items() if int(parts[2]) in members]
        if len(parts) == 3 and parts[1] == "storage":
            return [name for name, meta in self.pool_info.items() if parts[2] in meta["storage"]]
        return []

    def forget_rights(self) -> None:
        """Users, tokens, roles, ACLs or pools may have changed."""
        self._rights.clear()

    def privileges(self, user: str, path: str) -> dict[str, int]:
        """Effective privileges of a user or token on a path."""
        if (user, path) not in self._rights:
            self._rights[user, path] = self._effective(user, path)
        return self._rights[user, path]

    def _effective(self, user: str, path: str) -> dict[str, int]:
        owner, _, token = user.partition("!")
        if token:
            info = self.tokens.get(user)
            if info is None:
                return {}
            if info.privsep:
                above = self.privileges(owner, path)
                return {p: flag and above[p] for p, flag in self._own(user, path).items() if p in above}
            return self.privileges(owner, path)
        if owner == "root@pam":
            return dict.fromkeys(self.known_privileges(), 1)
        return self._own(owner, path)

    def known_privileges(self) -> frozenset[str]:
        if self.version_tuple() >= (9, 0):
            return ALL
        return frozenset({p for p in ALL if not p.startswith("VM.GuestAgent.")} | {MONITOR})

    def allowed(self, user, path, priv):
        """fakepve's question, answered with PVE's rules."""
        if priv.startswith("VM.GuestAgent.") and priv not in self.known_privileges():
            priv = MONITOR
        return user is None or priv in self.privileges(user, path)

    def check_permissions(self, user, perms, values, declared=None):
        """The schema's rule of a method. A root token is not root: what no rule opens is for root@pam alone."""
        if user is None or user == "root@pam":
            return
        rule = perms or {}
        if "check" in rule:
            fine, why = self._check(user, rule["check"], values, declared)
        elif rule.get("user") in ("all", "world"):
            return
        else:
            fine, why = False, "user != root@pam"
        if not fine:
            if self.version_tuple() < (9, 0):
                why = re.sub(r"VM\.GuestAgent\.[\w.|]+", MONITOR, why)
            raise PveError(403, f"Permission check failed ({why})" if why else "Permission check failed")

    def _check(self, user, check, values, declared=None):
        """A parameter that is missing leaves its place in the path empty: the path above is looked at."""
        if check[0] == "perm" and "require_param" not in check[3::2]:
            names = re.findall(r"/\{(\w+)\}", check[1])
            for name in (n for n in names if values.get(n) is None):
                check = [check[0], check[1].replace("/{" + name + "}", ""), *check[2:]]
        if check[0] == "perm-modify":
            path = str(values.get("path", ""))
            return self._may_modify(user, path), f"{path}, Permissions.Modify"
        return super()._check(user, check, values, declared)

    # ------------------------------------------------------------------ API

    def _routes_pools(self):
        """fakepve's handlers; the deprecated path takes no nested pool, however its slash is written."""
        pools = "/pools"
        return [("GET", pools, self._pool_index), ("POST", pools, self._pool_create),
                ("PUT", pools, self._pool_update), ("DELETE", pools, self._pool_delete)]

    def _routes_lab_pools(self):
        one = "/pools/{poolid}"

        def flat(handler):
            async def serve(values: dict, user: str):
                if "/" in values["poolid"]:
                    raise web.HTTPNotFound()
                return await handler(values, user)
            return serve
        return [("GET", one, flat(self._pool_read)), ("PUT", one, flat(self._pool_update)),
                ("DELETE", one, flat(self._pool_delete))]

    def _routes_lab_access(self):
        token = "/access/users/{userid}/token"
        return [("GET", "/access/permissions", self.access_permissions),
                ("GET", "/access/roles", self.role_list), ("POST", "/access/roles", self.role_create),
                ("GET", "/access/roles/{roleid}", self.role_get), ("PUT", "/access/roles/{roleid}", self.role_update),
                ("DELETE", "/access/roles/{roleid}", self.role_delete),
                ("GET", "/access/acl", self.acl_list), ("PUT", "/access/acl", self.acl_update),
                ("GET", "/access/users", self.user_list), ("POST", "/access/users", self.user_create),
                ("GET", "/access/users/{userid}", self.user_get), ("PUT", "/access/users/{userid}", self.user_update),
                ("DELETE", "/access/users/{userid}", self.user_delete),
                ("GET", token, self.token_list), ("POST", token + "/{tokenid}", self.token_create),
                ("DELETE", token + "/{tokenid}", self.token_delete)]

    async def access_permissions(self, values: dict, user: str) -> dict:
        who = values.get("userid") or user
        if who.split("!")[0] != user.split("!")[0]:
            self.require(user, "/access", "Sys.Audit")
        if values.get("path"):
            paths = [values["path"]]
        else:
            members = {f"/vms/{vmid}" for vmids in self.pools.values() for vmid in vmids}
            members |= {"/storage/" + name for meta in self.pool_info.values() for name in meta["storage"]}
            paths = sorted(set(BASE_PATHS) | {e.path for e in self.entries} | members)
        found = {path: self.privileges(who, path) for path in paths}
        return {path: dict(sorted(held.items())) for path, held in found.items() if held}

    async def role_list(self, values: dict, user: str) -> list[dict]:
        return [{"roleid": name, "privs": ",".join(sorted(privs & self.known_privileges())), "special": 1 if name in BUILT_IN else 0}
                for name, privs in sorted(self.roles.items())]

    async def role_get(self, values: dict, user: str) -> dict:
        if values["roleid"] not in self.roles:
            raise die(f"role '{values['roleid']}' does not exist")
        return dict.fromkeys(sorted(self.roles[values["roleid"]] & self.known_privileges()), 1)

    async def role_create(self, values: dict, user: str) -> None:
        if values["roleid"].upper().startswith("PVE"):
            raise param_error(roleid="cannot use role ID starting with the (case-insensitive) 'PVE' namespace")
        if values["roleid"] in self.roles:
            raise die(f"create role failed: role '{values['roleid']}' already exists")
        self.roles[values["roleid"]] = self._privileges(values.get("privs"))

    async def role_update(self, values: dict, user: str) -> None:
        name = values["roleid"]
        if name in BUILT_IN or name not in self.roles:
            raise die(f"update role failed: role '{name}' does not exist")
        given = self._privileges(values.get("privs"))
        self.roles[name] = self.roles[name] | given if values.get("append") else given

    async def role_delete(self, values: dict, user: str) -> None:
        name = values["roleid"]
        if name in BUILT_IN:
            raise die(f"delete role failed: auto-generated role '{name}' can not be deleted")
        if self.roles.pop(name, None) is None:
            raise die(f"delete role failed: role '{name}' does not exist")
        self.entries = [e for e in self.entries if e.role != name]

    def _privileges(self, text) -> set[str]:
        names = set(split_list(text))
        for name in sorted(names - self.known_privileges()):
            raise param_error(privs=f"invalid format - invalid privilege '{name}'\n")
        return names

    def _may_modify(self, user: str, path: str) -> bool:
        """PVE::RPCEnvironment::check_perm_modify: who has a thing may also share it."""
        enough = ["Permissions.Modify"]
        for kind, privilege in (("storage", "Datastore.Allocate"), ("vms", "VM.Allocate"), ("pool", "Pool.Allocate")):
            if re.match(f"^/{kind}/.", path):
                enough.append(privilege)
        return any(self.allowed(user, path, privilege) for privilege in enough)

    async def acl_list(self, values: dict, user: str) -> list[dict]:
        audit = self.allowed(user, "/access", "Sys.Audit")
        return [{"path": e.path, "ugid": e.who, "roleid": e.role, "propagate": e.propagate,
                 "type": "token" if "!" in e.who else "user"} for e in self.entries
                if audit or self._may_modify(user, e.path)]

    async def acl_update(self, values: dict, user: str) -> None:
        path = "/" + values["path"].strip("/")
        if path.split("/")[1] not in ACL_ROOTS:
            raise param_error(path=f"invalid ACL path '{values['path']}'")
        for role in split_list(values["roles"]):
            if role not in self.roles:
                raise die(f"ACL update failed: role '{role}' does not exist")
            for who in split_list(values.get("users")) + split_list(values.get("tokens")):
                owner, _, token = who.partition("!")
                if token and who not in self.tokens:
                    raise die(f"ACL update failed: no such token '{token}' for user '{owner}'")
                if not token and not self._is_user(who):
                    raise die(f"ACL update failed: user '{who}' does not exist")
                self.entries = [e for e in self.entries if (e.path, e.who, e.role) != (path, who, role)]
                if not values.get("delete"):
                    self.entries.append(AclEntry(path, who, role, int(values.get("propagate", 1))))

    def _is_user(self, name: str) -> bool:
        return name in self.users or name == self.user

    def _user_view(self, name: str) -> dict:
        return {"enable": 1, "expire": 0, **self.user_info.get(name, {})}

    async def user_list(self, values: dict, user: str) -> list[dict]:
        all_of_them = any(self.allowed(user, "/access/groups", p) for p in ("User.Modify", "Sys.Audit"))
        return [{"userid": name, "realm-type": name.rpartition("@")[2], **self._user_view(name)}
                for name in sorted({self.user, *self.users}) if all_of_them or name == user.split("!")[0]]

    async def user_get(self, values: dict, user: str) -> dict:
        if not self._is_user(values["userid"]):
            raise die(f"no such user ('{values['userid']}')")
        return {**self._user_view(values["userid"]), "groups": []}

    async def user_create(self, values: dict, user: str) -> None:
        name = values["userid"]
        if self._is_user(name):
            raise die(f"create user failed: user '{name}' already exists")
        # Without a password nobody logs in with one.
        self.users[name] = values.get("password")
        self._describe_user(values)

    def _describe_user(self, values: dict) -> None:
        given = {key: values[key] for key in ("enable", "expire", "comment") if values.get(key) is not None}
        numbers = {key: int(value) for key, value in given.items() if key != "comment"}
        self.user_info[values["userid"]] = {**self.user_info.get(values["userid"], {}), **given, **numbers}

    async def user_update(self, values: dict, user: str) -> None:
        if not self._is_user(values["userid"]):
            raise die(f"update user failed: no such user ('{values['userid']}')")
        self._describe_user(values)

    def check_password(self, user: str, password: str) -> bool:
        view = self._user_view(user)
        fresh = not view["expire"] or view["expire"] > time.time()
        return bool(view["enable"]) and fresh and super().check_password(user, password)

    async def user_delete(self, values: dict, user: str) -> None:
        name = values["userid"]
        if name not in self.users:
            raise die(f"delete user failed: user '{name}' does not exist")
        del self.users[name]
        self.user_info.pop(name, None)
        self.entries = [e for e in self.entries if e.who.split("!")[0] != name]
        self.tokens = {k: t for k, t in self.tokens.items() if k.split("!")[0] != name}

    async def token_list(self, values: dict, user: str) -> list[dict]:
        if not self._is_user(values["userid"]):
            raise die(f"no such user ('{values['userid']}')")
        return [{"tokenid": name.split("!")[1], "privsep": t.privsep, "expire": t.expire}
                for name, t in sorted(self.tokens.items()) if name.split("!")[0] == values["userid"]]

    async def token_create(self, values: dict, user: str) -> dict:
        name = f"{values['userid']}!{values['tokenid']}"
        if not self._is_user(values["userid"]):
            raise die(f"no such user ('{values['userid']}')")
        if name in self.tokens:
            raise param_error(tokenid="Token already exists.")
        token = Token(str(uuid.uuid4()), int(values.get("privsep", 1)), int(values.get("expire", 0)))
        self.tokens[name] = token
        return {"full-tokenid": name, "value": token.secret,
                "info": {"privsep": str(token.privsep), "expire": str(token.expire)}}

    async def token_delete(self, values: dict, user: str) -> None:
        name = f"{values['userid']}!{values['tokenid']}"
        if self.tokens.pop(name, None) is None:
            raise die(f"no such token '{values['tokenid']}' for user '{values['userid']}'")
        self.entries = [e for e in self.entries if e.who != name]
