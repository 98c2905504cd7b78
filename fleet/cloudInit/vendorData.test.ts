import fc from "fast-check";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { parsed } from "./goldenCases.ts";
import { renderCloneVendorData, renderVendorData } from "./vendorData.ts";

const read = (text: string) => parse(text, { version: "1.1" });
const START = ["systemctl", "start", "qemu-guest-agent"];

test("with nothing to do it is an empty cloud-config", () => {
  expect(renderVendorData(parsed({}), { agent: true })).toBe("#cloud-config\n{}\n");
});

test("packages bring an update of the package lists, an upgrade only if it is asked for", () => {
  const data = read(renderVendorData(parsed({ packages: ["htop"] }), { agent: false }));
  expect(data).toEqual({ package_update: true, packages: ["htop"] });
  expect(read(renderVendorData(parsed({ packageUpgrade: true }), { agent: false }))).toEqual({ package_upgrade: true });
});

test("a guest agent that is installed is started, before the user's own commands", () => {
  const cloudInit = parsed({ packages: ["qemu-guest-agent"], runCommands: ["true"] });
  expect(read(renderVendorData(cloudInit, { agent: true })).runcmd).toEqual([START, "true"]);
});

test("without the agent's channel nothing is started: it would wait for a device that never comes", () => {
  const cloudInit = parsed({ packages: ["qemu-guest-agent"] });
  expect(read(renderVendorData(cloudInit, { agent: false }))).not.toHaveProperty("runcmd");
});

test("no package is added behind the user's back", () => {
  expect(renderVendorData(parsed({ packages: ["htop"] }), { agent: true })).not.toContain("qemu-guest-agent");
});

test("vendor wins over the fields", () => {
  const cloudInit = parsed({
    timezone: "UTC",
    packages: ["htop"],
    vendor: { timezone: "Asia/Tokyo", packages: ["vim"] },
  });
  expect(read(renderVendorData(cloudInit, { agent: true }))).toMatchObject({
    timezone: "Asia/Tokyo",
    packages: ["vim"],
  });
});

test("the clones have the network applied at every boot, and all else as the template", () => {
  const cloudInit = parsed({ packages: ["htop"], runCommands: ["true"], vendor: { ntp: { enabled: true } } });
  const { updates, ...rest } = read(renderCloneVendorData(cloudInit, { agent: true }));
  expect(updates).toEqual({ network: { when: ["boot-new-instance", "boot"] } });
  expect(rest).toEqual(read(renderVendorData(cloudInit, { agent: true })));
});

test("who says when the network is applied is heard", () => {
  const updates = { network: { when: ["boot-new-instance"] } };
  expect(read(renderCloneVendorData(parsed({ vendor: { updates } }), { agent: true })).updates).toEqual(updates);
});

test("property: files and commands come back as they were put in", () => {
  const text = fc.string({ minLength: 1, unit: "grapheme" });
  const command = fc.oneof(text, fc.array(text, { minLength: 1 }));
  const file = fc.record({ path: text.map((name) => `/${name}`), content: fc.string({ unit: "binary" }) });
  fc.assert(
    fc.property(fc.array(command, { minLength: 1 }), fc.array(file, { minLength: 1 }), (runCommands, writeFiles) => {
      const data = read(renderVendorData(parsed({ runCommands, writeFiles }), { agent: true }));
      expect(data.runcmd).toEqual(runCommands);
      expect(data.write_files).toEqual(writeFiles);
    }),
  );
});
