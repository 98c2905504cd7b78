import { describe, expect, test } from "vitest";
import { guestChanges, waitingInSerial } from "./guestChanges.ts";
import { smbiosSerial } from "./smbiosSerial.ts";

describe("a guest that has booted before", () => {
  test.each(["ipConfigs", "nameservers", "searchDomain"])(
    "without an instance-id of its own takes other %s as a new instance",
    (option) => {
      expect(guestChanges([option], {})).toMatchObject({ options: [option], newInstance: true });
      expect(guestChanges([option], {})?.text).toContain("runCommands run again");
      expect(guestChanges([option], {})?.text).toContain("SSH host keys");
    },
  );

  test.each(["ipConfigs", "nameservers", "searchDomain", "hostname"])(
    "with an instance-id of its own takes other %s as the instance that it is",
    (option) => {
      const changes = guestChanges([option], { instanceId: "0f5c" });
      expect(changes).toMatchObject({ options: [option], newInstance: false });
      expect(changes?.text).toBe("at the next start by Proxmox VE (a reboot from inside the guest is not enough)");
    },
  );

  test("takes another host name as the instance that it is: the name is not on the drive", () => {
    expect(guestChanges(["hostname"], {})).toMatchObject({ newInstance: false });
    expect(guestChanges(["hostname", "ipConfigs"], {})).toMatchObject({ newInstance: true });
  });

  test.each(["ipConfigs", "nameservers", "searchDomain", "hostname"])(
    "takes another %s as a new instance where PVE makes its user-data, but has no packages and commands",
    (option) => {
      const changes = guestChanges([option], { userData: "pve" });
      expect(changes).toMatchObject({ newInstance: true, text: expect.stringContaining("SSH host keys") });
      expect(changes?.text).not.toContain("runCommands");
    },
  );

  test("has nothing to do with what is PVE's alone", () => {
    expect(guestChanges(["cores", "tags", "onBoot"], {})).toBeUndefined();
    expect(guestChanges(["cores", "hostname"], { instanceId: "0f5c" })?.options).toEqual(["hostname"]);
  });
});

describe("by the serial that is pending", () => {
  const serial = smbiosSerial("web-1", { instanceId: "0f5c", network: "aaaaaaaa" });

  test("a running guest has all that its serial says", () => {
    expect(waitingInSerial(serial, serial)).toEqual([]);
  });

  test.each([
    ["network", smbiosSerial("web-1", { instanceId: "0f5c", network: "bbbbbbbb" }), ["network"]],
    ["hostname", smbiosSerial("web-2", { instanceId: "0f5c", network: "aaaaaaaa" }), ["hostname"]],
    ["both", smbiosSerial("web-2", { instanceId: "0f5c", network: "bbbbbbbb" }), ["hostname", "network"]],
  ])("it waits for another %s", (_what, next, waiting) => {
    expect(waitingInSerial(serial, next)).toEqual(waiting);
  });

  test("a clone of an earlier version, whose serial says nothing of the network, waits for it all the same", () => {
    expect(waitingInSerial(smbiosSerial("web-1"), smbiosSerial("web-1", { network: "bbbbbbbb" }))).toEqual(["network"]);
  });

  test("a VM that had no serial waits for its name", () => {
    expect(waitingInSerial(undefined, smbiosSerial("web-1"))).toEqual(["hostname"]);
  });
});
