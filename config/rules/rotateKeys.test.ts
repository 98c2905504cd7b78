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

test("a set, or a clone, may say who logs in", () => {
  expect(of({ cloudInit: {} }, { cloudInit })).toEqual([]);
  expect(of({ cloudInit: {} }, { clones: [{ name: "web-1", vmId: 9101, cloudInit }] })).toEqual([]);
  expect(of({}, { cloudInit: { packages: ["git"] } })).toEqual([]);
  const clones = [{ name: "web-1", vmId: 9101 }];
  expect(of({}, { clones: [...clones, { name: "web-2", vmId: 9102, cloudInit: { sshPublicKeys: [] } }] })).toEqual([
    expect.stringContaining("has no key, and nobody could log in any more"),
  ]);
  expect(
    of(
      { cloudInit: {} },
      {
        clones: [
          { ...clones[0], cloudInit },
          { name: "web-2", vmId: 9102 },
        ],
      },
    ),
  ).toHaveLength(2);
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
    ", but templates.noble.cloudInit, or the set's, has no user; expected the name of the user whose keys are set, or false here",
  ],
  [
    { cloudInit: { user: "ops" } },
    {},
    ", but templates.noble.cloudInit, or the set's, has no key, and nobody could log in any more; expected sshPublicKeys or sshPublicKeyFile there, or false here",
  ],
  [
    { cloudInit: { user: "ops", sshPublicKeys: Array.from({ length: 40 }, (_, index) => long(index)) } },
    {},
    ", but the 40 keys of templates.noble.cloudInit, or the set's, take 83394 characters; expected at most 65536, or false here",
  ],
  [
    { cloudInit: { ...cloudInit, userData: { ssh_authorized_keys: [] } } },
    {},
    ", but userData.ssh_authorized_keys in cloudInit gives guests other keys at their first boot; expected user and sshPublicKeys instead of it",
  ],
  [
    { cloudInit: { ...cloudInit, vendor: { ssh_import_id: ["gh:me"] } } },
    {},
    ", but vendor.ssh_import_id in cloudInit gives guests other keys at their first boot; expected user and sshPublicKeys instead of it",
  ],
])("$2", (template, set, reason) => {
  expect(of(template, set)).toEqual([`cloneSets.web.rotateKeys: found true${reason}`]);
});

test("user-data of its own says who logs in, and not the config", () => {
  expect(of({}, { cloudInit: { raw: { text: "variant: fcos" } } })).toEqual([
    "cloneSets.web.rotateKeys: found true, but raw in cloudInit gives guests other keys at their first boot; expected user and sshPublicKeys instead of it",
  ]);
});

test("a key that is none is one problem, not two", () => {
  expect(of({ cloudInit: { user: "ops", sshPublicKeys: ["ssh-rsa"] } })).toEqual([
    'templates.noble.cloudInit.sshPublicKeys[0]: expected one SSH public key, for example "ssh-ed25519 AAAA… me@home"',
  ]);
});
