import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { cloudInitOrSkip } from "../../test/cloudInit.ts";
import { parsed } from "./goldenCases.ts";
import { parseSmbiosSerial, smbiosSerial } from "./smbiosSerial.ts";
import { renderUserData } from "./userData.ts";
import { renderVendorData } from "./vendorData.ts";

test("the serial names the host", () => {
  expect(smbiosSerial("web-1")).toBe("ds=nocloud;dsmode=net;h=web-1");
});

test("and the instance, and which network settings go with it", () => {
  const more = { instanceId: "0f5c", network: "9b0e4d1a" };
  expect(smbiosSerial("web-1", more)).toBe("ds=nocloud;dsmode=net;h=web-1;i=0f5c;net=9b0e4d1a");
});

test("what a serial tells is read back from it", () => {
  const more = { instanceId: "0f5c", network: "9b0e4d1a" };
  expect(parseSmbiosSerial(smbiosSerial("web-1.example.net", more))).toEqual({
    hostname: "web-1.example.net",
    ...more,
  });
  expect(parseSmbiosSerial(smbiosSerial("web-1"))).toEqual({ hostname: "web-1" });
});

test.each([
  ["somebody's short keys", "ds=nocloud;i=one;h=a", { hostname: "a", instanceId: "one" }],
  ["somebody's long keys", "ds=nocloud;instance-id=one;local-hostname=a", { hostname: "a", instanceId: "one" }],
  ["empty values", "ds=nocloud;h=;i=", {}],
  ["no keys", "ds=nocloud", {}],
  ["other words beside it", "rack-7 ds=nocloud;h=a x", { hostname: "a" }],
])("a serial with %s is read as cloud-init reads it", (_what, serial, told) => {
  expect(parseSmbiosSerial(serial)).toEqual(told);
});

test.each([undefined, "", "VMware-42 1d", "ds=ec2;h=a", "xds=nocloud;h=a"])("%j tells cloud-init nothing", (serial) => {
  expect(parseSmbiosSerial(serial)).toBeUndefined();
});

const { tool, name: cloudInit } = cloudInitOrSkip();

// decisions/0001: a clone's host name comes by SMBIOS, everything else by the shared snippets on the drive.
// Each boot starts Python, which a busy machine takes its time for.
describe.skipIf(!tool)(`the guest with ${cloudInit}`, { timeout: 60_000 }, () => {
  const drive = mkdtempSync(join(tmpdir(), "cidata-"));
  afterAll(() => rmSync(drive, { recursive: true }));
  // PVE's own meta-data and network-config of a clone with DHCP, and our snippets.
  const files = {
    "meta-data": "instance-id: 3f786850e387550fdab836ed7e6dc881de23001b\n",
    "network-config":
      "version: 1\nconfig:\n    - type: physical\n      name: eth0\n      mac_address: 'bc:24:11:00:00:01'\n      subnets:\n      - type: dhcp4\n",
    "user-data": renderUserData(parsed({ user: "ops" }), { publicKeys: ["ssh-rsa A"] }),
    "vendor-data": renderVendorData(parsed({ packages: ["htop"] }), { agent: true }),
  };
  for (const [name, text] of Object.entries(files)) writeFileSync(join(drive, name), text);

  const boot = (...serial: string[]) => {
    const script = resolve(import.meta.dirname, "../../test/nocloud.py");
    const env = { ...process.env, ...tool?.env };
    return JSON.parse(execFileSync(tool?.python ?? "", [script, drive, ...serial], { env, encoding: "utf8" }));
  };

  test("has no name of its own without the serial", () => {
    expect(boot()).toMatchObject({ claimed: true, localHostname: null, early: null });
  });

  test("takes its name from the serial, already before the network is up", () => {
    expect(boot(smbiosSerial("web-1"))).toMatchObject({ hostname: "web-1", fqdn: "web-1", early: "web-1" });
  });

  test("takes host name and domain apart", () => {
    expect(boot(smbiosSerial("web-1.example.net"))).toMatchObject({ hostname: "web-1", fqdn: "web-1.example.net" });
  });

  test("takes the serial's word over the drive's meta-data", () => {
    const file = join(drive, "meta-data");
    writeFileSync(file, `${files["meta-data"]}local-hostname: other\n`);
    expect(boot()).toMatchObject({ hostname: "other" });
    expect(boot(smbiosSerial("web-1"))).toMatchObject({ hostname: "web-1" });
    writeFileSync(file, files["meta-data"]);
  });

  test("takes everything else from the drive, in the same boot stage as without the serial", () => {
    const [plain, named] = [boot(), boot(smbiosSerial("web-1"))];
    expect(named.dsmode).toBe(named.networkMode);
    expect(named.userData).toMatchObject({ user: "ops", ssh_authorized_keys: ["ssh-rsa A"] });
    expect(named.vendorData).toMatchObject({ packages: ["htop"] });
    expect(named.networkConfig.config[0].mac_address).toBe("bc:24:11:00:00:01");
    for (const key of ["instanceId", "dsmode", "userData", "vendorData", "networkConfig"]) {
      expect(named[key], key).toEqual(plain[key]);
    }
  });

  test("would run its first modules before the network is up without dsmode=net", () => {
    expect(boot("ds=nocloud;h=web-1").dsmode).toBe("local");
  });
});
