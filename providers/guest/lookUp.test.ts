import { describe, expect, it } from "vitest";
import { markText } from "../../fleet/ownership.ts";
import { ApiError } from "../../proxmox/errors.ts";
import { fakeClient } from "../../proxmox/fakeClient.ts";
import type { GuestConfig } from "../../proxmox/guests.ts";
import { lookUp, nameOf } from "./lookUp.ts";

const mark = {
  fleetId: "c1d2be9a",
  stack: "organization/golden/test",
  resource: "cloneSets.web",
  vmId: 9101,
  content: "0123456789ab-linked",
};

async function look(config: GuestConfig) {
  const { client } = fakeClient(() => config);
  return lookUp(client, { vmId: 9101, fleetId: "c1d2be9a", node: "pve1" });
}

describe("a VM", () => {
  it("with our mark is ours, and the mark is told", async () => {
    const config = { name: "web-1", description: `ask Ann\n\n${markText(mark)}` };
    expect(await look(config)).toEqual({ kind: "vm", node: "pve1", config, owner: "ours", mark, busy: undefined });
  });

  it("is another stack's, or nobody's that we know", async () => {
    expect(await look({ description: markText({ ...mark, fleetId: "00000000" }) })).toMatchObject({
      owner: "other-stack",
      mark: { fleetId: "00000000" },
    });
    expect(await look({ description: "a mail server" })).toMatchObject({ owner: "foreign", mark: undefined });
  });

  it("that somebody has cloned from ours by hand is foreign; its mark is that of the other VM", async () => {
    const found = await look({ description: markText({ ...mark, vmId: 9000 }) });
    expect(found).toMatchObject({ owner: "foreign", mark: { vmId: 9000 } });
  });

  it("is busy with what holds its lock", async () => {
    expect(await look({ lock: "clone", description: " qmclone temporary file" })).toMatchObject({ busy: "clone" });
  });
});

it("what is no VM, or cannot be looked at, is nobody's", async () => {
  const { client } = fakeClient((call) =>
    call.startsWith("GET /cluster")
      ? [{ vmid: 9101, node: "pve2", type: "lxc", name: "mail" }]
      : new ApiError("GET", 500, "Configuration file 'nodes/pve1/qemu-server/9101.conf' does not exist"),
  );
  const found = await lookUp(client, { vmId: 9101, fleetId: "c1d2be9a", node: "pve1" });
  expect(found).toEqual({ kind: "container", node: "pve2", name: "mail" });
});

it.each([
  [{ config: { name: "web-1" } }, 'VM "web-1" on node pve1'],
  [{ config: { name: "noble", template: 1 } }, 'template "noble" on node pve1'],
  [{ config: {} }, 'VM "without a name" on node pve1'],
  [{ kind: "container", name: "mail" }, 'container "mail" on node pve1'],
  [{ kind: "unreachable", name: "web-1" }, 'VM "web-1" on node pve1, which does not answer'],
])("%j is told as %s", (found, text) => {
  expect(nameOf({ kind: "vm", node: "pve1", ...found } as Parameters<typeof nameOf>[0])).toBe(text);
});
