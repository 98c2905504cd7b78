import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  bridgeId,
  datastoreId,
  macAddress,
  mappingId,
  mdevType,
  nodeName,
  parseTokenId,
  parseUserId,
  pciAddress,
  poolId,
  tag,
  vmId,
} from "./formats.ts";
import { setProblems, templateProblems } from "./testing.ts";

const FORMATS = {
  vmId,
  nodeName,
  datastoreId,
  bridgeId,
  poolId,
  mappingId,
  tag,
  macAddress,
  pciAddress,
  mdevType,
};

describe.each<[keyof typeof FORMATS, readonly unknown[], readonly unknown[]]>([
  ["vmId", [100, 999_999_999], [99, 1_000_000_000, 100.5, "100"]],
  ["nodeName", ["pve1", "1pve", "9", "a-1", "PVE"], ["-pve", "pve-", "pve.1", "pve_1", "", "pve 1", "pvé"]],
  ["datastoreId", ["local", "local-lvm", "a1", "nfs.a_b-1"], ["a", "1nfs", "nfs-", "nfs.", "", "a/b", "a:b"]],
  ["bridgeId", ["vmbr0", "0br", "vmbr0.5", "my_net", "-a"], ["", "vmbr0,tag=5", "a b", "a/b"]],
  ["poolId", ["prod", "1", "2024-prod", "prod/web", "a/b/c", ".x"], ["", "a/b/c/d", "/a", "a/", "a//b", "a b", "ä"]],
  ["mappingId", ["rtx4090", "a_b-c", "GPU"], ["a", "4090", "a.b", "", "a b"]],
  ["tag", ["web-1", "_x", "1a", "c++", "v1.2"], ["-web", "Web", "äpfel", "a;b", "", "a b", "+a"]],
  ["macAddress", ["BC:24:11:00:00:01", "02:00:00:00:00:ff"], ["BD:24:11:00:00:01", "bc-24-11-00-00-01", "bc:24:11"]],
  [
    "pciAddress",
    ["01:00.0", "0000:01:00", "10000:e1:00.0", "01:00.a", "01:00.0;01:00.1"],
    ["01:00.00", "1:00.0", "0000:AB:00.0", "01:00.0;", ""],
  ],
  ["mdevType", ["nvidia-63", "i915-GVTg_V5_4"], ["", "a.b", "a:b", "a/b", "a,b"]],
])("%s", (name, good, bad) => {
  const takes = (value: unknown) => FORMATS[name].safeParse(value).success;
  test.each(good.map((value) => [value]))("takes %j", (value) => expect(takes(value)).toBe(true));
  test.each(bad.map((value) => [value]))("refuses %j", (value) => expect(takes(value)).toBe(false));
});

describe("users and tokens", () => {
  test.each([
    ["root@pam", { name: "root", realm: "pam" }],
    ["jane@corp.com@idp", { name: "jane@corp.com", realm: "idp" }],
    ["a!b=c@my-realm.1", { name: "a!b=c", realm: "my-realm.1" }],
    ["root", undefined],
    ["root@", undefined],
    ["root@p", undefined],
    ["root@1pam", undefined],
    ["a:b@pam", undefined],
    ["a/b@pam", undefined],
    ["a b@pam", undefined],
    [`${"a".repeat(60)}@pam`, { name: "a".repeat(60), realm: "pam" }],
    [`${"a".repeat(61)}@pam`, undefined],
  ])("the parts of user %s", (id, parts) => {
    expect(parseUserId(id)).toEqual(parts);
  });

  test.each([
    ["golden@pve!fleet", { user: "golden@pve", name: "fleet" }],
    ["jane@corp.com@idp!tok", { user: "jane@corp.com@idp", name: "tok" }],
    ["a!b@pve!fleet-1.x", { user: "a!b@pve", name: "fleet-1.x" }],
    ["golden@pve", undefined],
    ["golden@pve!", undefined],
    ["golden@pve!f", undefined],
    ["golden@pve!1f", undefined],
    ["golden!fleet", undefined],
  ])("the parts of token %s", (id, parts) => {
    expect(parseTokenId(id)).toEqual(parts);
  });

  test("property: a name with anything in it that PVE takes is found again", () => {
    const name = fc.stringMatching(/^[^\s:/]{1,40}$/);
    const word = fc.stringMatching(/^[a-zA-Z][\w.-]{1,15}$/);
    fc.assert(
      fc.property(name, word, word, (user, realm, token) => {
        expect(parseUserId(`${user}@${realm}`)).toEqual({ name: user, realm });
        expect(parseTokenId(`${user}@${realm}!${token}`)).toEqual({ user: `${user}@${realm}`, name: token });
      }),
    );
  });
});

test("each field of the config has the format that PVE has for it", () => {
  const fields = {
    node: "1pve",
    pool: "prod/web",
    disk: { datastore: "a1" },
    nics: [{ bridge: "0br", mac: "bc:24:11:00:00:01" }],
    gpus: [{ mapping: "rtx_4090" }],
  };
  expect(templateProblems(fields)).toEqual([]);
  expect(setProblems({ clones: [], nodes: ["2pve"], pool: "1/2/3", mode: "full", datastore: "nfs1" })).toEqual([]);
  expect(templateProblems({ node: "pve_1", pool: "a/b/c/d", disk: { datastore: "1" }, tags: ["-a"] })).toEqual([
    expect.stringMatching(/^templates.noble.node: found "pve_1"; expected the name of a node/),
    expect.stringMatching(/^templates.noble.tags\[0\]: found "-a"; expected a tag in lower case/),
    expect.stringMatching(/^templates.noble.pool: found "a\/b\/c\/d"; expected the name of a pool/),
    expect.stringMatching(/^templates.noble.disk.datastore: found "1"; expected the ID of a datastore/),
  ]);
});
