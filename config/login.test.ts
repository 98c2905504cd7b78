import { expect, test } from "vitest";
import { readLogin } from "./login.ts";

const login = (config: Record<string, string>, env: Record<string, string> = {}) =>
  readLogin((key) => config[key], env);

const SHAPE = "expected user@realm!name=secret, for example golden@pve!fleet=1b2c3d4e-…";

test("a token of the config", () => {
  expect(login({ apiToken: "golden@pve!fleet=a-b-c\n" })).toEqual({
    kind: "token",
    id: "golden@pve!fleet",
    secret: "a-b-c",
  });
});

test("a user whose name has @, ! or = in it, as PVE takes it: the realm follows the last @, the secret the last =", () => {
  const id = "jane=doe!ops@corp.com@idp!tok";
  expect(login({ apiToken: `${id}=a-b` })).toEqual({ kind: "token", id, secret: "a-b" });
  const user = { username: "jane@corp.com@idp", password: "pw" };
  expect(login(user)).toEqual({ kind: "password", ...user });
});

test.each([
  ["golden@pve!fleet", `the token has no secret; ${SHAPE}`],
  ["golden@pve!fleet=", `the value (secret) is not an API token; ${SHAPE}`],
  ["golden!fleet=secret", `the token has no realm; ${SHAPE}`],
  ["golden@pve=secret", `the token has no name; ${SHAPE}`],
  ["golden@pve!fleet=a b", `the value (secret) is not an API token; ${SHAPE}`],
  ["golden@pve!fleet=a=b", `the value (secret) is not an API token; ${SHAPE}`],
  ["golden:x@pve!fleet=a", `the value (secret) is not an API token; ${SHAPE}`],
  ["PVEAPIToken=golden@pve!fleet=secret", `the token starts with "PVEAPIToken="; ${SHAPE}`],
])("a token that is not one: %s", (apiToken, message) => {
  expect(login({ apiToken })).toEqual({ path: "apiToken", message });
});

test("a user with password", () => {
  expect(login({ username: "root@pam", password: "pw" })).toEqual({
    kind: "password",
    username: "root@pam",
    password: "pw",
  });
});

test.each([
  [{ username: "root", password: "pw" }, "username", "the realm is missing; expected user@realm, for example root@pam"],
  [{ password: "pw" }, "username", "missing; expected user@realm, for example root@pam"],
  [{ username: "root@pam" }, "password", "missing; set it with `pulumi config set --secret password`"],
  [
    { username: "jane doe@pam", password: "pw" },
    "username",
    "this is no user of PVE; expected user@realm, for example root@pam",
  ],
  [
    { username: "golden@pve!fleet", password: "pw" },
    "username",
    "it has the name of an API token; expected user@realm, for example root@pam, or apiToken",
  ],
])("a user that is not complete: %o", (config, path, message) => {
  expect(login(config)).toEqual({ path, message });
});

test("nothing at all says every way to log in", () => {
  expect(login({})).toMatchObject({ path: "apiToken", message: expect.stringContaining("PROXMOX_VE_API_TOKEN") });
});

test("the environment alone is enough", () => {
  expect(login({}, { PROXMOX_VE_API_TOKEN: "a@pve!bb=c" })).toMatchObject({ id: "a@pve!bb" });
  const user = { PROXMOX_VE_USERNAME: "root@pam", PROXMOX_VE_PASSWORD: "pw" };
  expect(login({}, user)).toMatchObject({ username: "root@pam" });
});

test("the config wins over the environment", () => {
  const env = { PROXMOX_VE_API_TOKEN: "env@pve!bb=c", PROXMOX_VE_USERNAME: "env@pam", PROXMOX_VE_PASSWORD: "env" };
  expect(login({ apiToken: "a@pve!bb=c" }, env)).toMatchObject({ id: "a@pve!bb" });
  expect(login({ username: "root@pam", password: "pw" }, env)).toMatchObject({ username: "root@pam", password: "pw" });
});

test("a token wins over a password of the same place", () => {
  expect(login({ apiToken: "a@pve!bb=c", username: "root@pam", password: "pw" })).toMatchObject({ kind: "token" });
});
