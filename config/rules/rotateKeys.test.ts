import { expect, test } from "vitest";
import { noble, PUBLIC_KEY, problems } from "../testing.ts";

const cloudInit = { user: "ops", sshPublicKeys: [PUBLIC_KEY] };
const of = (template: object, set: object = {}) =>
  problems({
    templates: { noble: { ...noble, cloudInit, ...template } },
    cloneSets: { web: { template: "noble", rotateKeys: true, clones: [{ name: "web-1", vmId: 9101 }], ...set } },
  });

test("keys can be changed in guests that have a user, keys and an agent, and that run", () => {
  expect(of({})).toEqual([]);
  expect(of({ cloudInit: { user: "root", sshPublicKeys: [PUBLIC_KEY], vendor: { ssh_pwauth: false } } })).toEqual([]);
  expect(of({ cloudInit: {}, agent: false, osType: "other" }, { rotateKeys: false, start: false })).toEqual([]);
});

/** A line of another key, as long as it has to be. */
const long = (index: number) => `${PUBLIC_KEY.replace("demo", "ü".repeat(200))} ${index}`;

test.each([
  [
    {},
    { start: false },
    " with start: false, and a guest that is off takes no keys; expected start: true, or false here",
  ],
  [
    { agent: false },
    {},
    ", but templates.noble.agent is false, and keys come by the guest agent; expected agent: true there, or false here",
  ],
  [
    { osType: "win10" },
    {},
    ', but templates.noble.osType is "win10", and keys are set by a POSIX shell; expected a Linux guest, or false here',
  ],
  [
    { cloudInit: { sshPublicKeys: [PUBLIC_KEY] } },
    {},
    ", but templates.noble.cloudInit.user is missing; expected the name of the user whose keys are set, or false here",
  ],
  [
    { cloudInit: { user: "ops" } },
    {},
    ", but templates.noble.cloudInit has no key, and nobody could log in any more; expected sshPublicKeys or sshPublicKeyFile there, or false here",
  ],
  [
    { cloudInit: { user: "ops", sshPublicKeys: Array.from({ length: 40 }, (_, index) => long(index)) } },
    {},
    ", but the 40 keys of templates.noble.cloudInit take 83394 characters; expected at most 65536, or false here",
  ],
  [
    { cloudInit: { ...cloudInit, userData: { ssh_authorized_keys: [] } } },
    {},
    ", but templates.noble.cloudInit.userData.ssh_authorized_keys gives guests other keys at their first boot; expected user and sshPublicKeys instead of it",
  ],
  [
    { cloudInit: { ...cloudInit, vendor: { ssh_import_id: ["gh:me"] } } },
    {},
    ", but templates.noble.cloudInit.vendor.ssh_import_id gives guests other keys at their first boot; expected user and sshPublicKeys instead of it",
  ],
])("$2", (template, set, reason) => {
  expect(of(template, set)).toEqual([`cloneSets.web.rotateKeys: found true${reason}`]);
});

test("a key that is none is one problem, not two", () => {
  expect(of({ cloudInit: { user: "ops", sshPublicKeys: ["ssh-rsa"] } })).toEqual([
    'templates.noble.cloudInit.sshPublicKeys[0]: expected one SSH public key, for example "ssh-ed25519 AAAA… me@home"',
  ]);
});
