import { expect, test } from "vitest";
import { over } from "./over.ts";

const base = {
  user: "ubuntu",
  sshPublicKeyFile: "~/.ssh/id.pub",
  sshPublicKeys: ["ssh-rsa A"],
  packages: ["qemu-guest-agent"],
  packageUpgrade: true,
  runCommands: ["first"],
  writeFiles: [{ path: "/a", content: "a" }],
  vendor: { ntp: { enabled: true, servers: ["a"] } },
  userData: {},
};

test("lists of things to do are added, the template's first, and a package once", () => {
  const own = {
    packages: ["nginx", "qemu-guest-agent"],
    runCommands: ["second"],
    writeFiles: [{ path: "/b", content: "b" }],
  };
  expect(over(base, own)).toMatchObject({
    packages: ["qemu-guest-agent", "nginx"],
    runCommands: ["first", "second"],
    writeFiles: [{ path: "/a" }, { path: "/b" }],
  });
});

test("cloud-config is merged key by key, its lists as a whole", () => {
  expect(over(base, { vendor: { ntp: { servers: ["b"] }, swap: { size: 1 } } }).vendor).toEqual({
    ntp: { enabled: true, servers: ["b"] },
    swap: { size: 1 },
  });
});

test("who may log in is said anew as a whole", () => {
  const { sshPublicKeyFile, sshPublicKeys } = over(base, { sshPublicKeys: ["ssh-rsa B"] });
  expect([sshPublicKeyFile, sshPublicKeys]).toEqual([undefined, ["ssh-rsa B"]]);
  expect(over(base, { sshPublicKeyFile: "other.pub" })).toMatchObject({
    sshPublicKeyFile: "other.pub",
    sshPublicKeys: [],
  });
});

test("everything else takes the template's place, and what is not said stays", () => {
  expect(over(base, { user: "admin", packageUpgrade: false, timezone: "Europe/Vienna" })).toMatchObject({
    user: "admin",
    packageUpgrade: false,
    timezone: "Europe/Vienna",
    sshPublicKeys: ["ssh-rsa A"],
  });
  expect(over(base, {})).toEqual(base);
});
