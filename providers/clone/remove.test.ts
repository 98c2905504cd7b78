import { describe, expect, it } from "vitest";
import type { Cluster } from "../../config/cluster.ts";
import { ApiError } from "../../proxmox/errors.ts";
import { fakeClient } from "../../proxmox/fakeClient.ts";
import type { GuestConfig } from "../../proxmox/guests.ts";
import { Run } from "../run/run.ts";
import { fakeClone, fakeMade, fakeMessages, fakeState, UUID } from "./fakeClone.ts";
import { markOf, notesOf } from "./mark.ts";
import { remove } from "./remove.ts";
import type { CloneState } from "./state.ts";

const OURS = notesOf(undefined, markOf(fakeClone(), fakeMade()));
const limits = { clonesPerTemplate: 4, clonesPerDatastore: 4 };

interface Guest {
  /** Its node; undefined: it is gone. */
  node: string | undefined;
  config: GuestConfig;
  type?: "qemu" | "lxc";
  running?: boolean;
}

/** A PVE with one guest on VMID 9101, which a test may change before any call that changes something. */
function pve(change: Partial<Guest> = {}, before: (call: string, guest: Guest) => void = () => undefined) {
  const guest: Guest = { node: "pve1", config: { name: "web-1", description: OURS }, running: false, ...change };
  const isAt = (call: string) => guest.node === call.split("/")[2] && guest.type !== "lxc";
  const { client, asked } = fakeClient((call) => {
    if (call.startsWith("GET /cluster/resources")) {
      const { node, type = "qemu", config } = guest;
      return node === undefined ? [] : [{ vmid: 9101, node, type, name: config.name }];
    }
    if (call.endsWith("/storage") || call.endsWith("/log") || call.endsWith("/tasks")) return [];
    if (call.startsWith("GET") && call.includes("UPID")) return { status: "stopped", exitstatus: "OK" };
    if (!call.startsWith("GET")) before(call, guest);
    if (!isAt(call))
      return new ApiError("GET", 500, "Configuration file 'nodes/pve1/qemu-server/9101.conf' does not exist");
    if (call.endsWith("/config")) return guest.config;
    if (call.endsWith("/status/current")) return { status: guest.running ? "running" : "stopped" };
    if (call.includes("/status/")) guest.running = false;
    else guest.node = undefined;
    return `UPID:pve1:1:2:3:${call.startsWith("DELETE") ? "qmdestroy" : "qmshutdown"}:9101:a@pve:`;
  });
  const messages = fakeMessages();
  const run = new Run(client, { limits } as Cluster);
  const changes = () => asked.filter((call) => !call.startsWith("GET"));
  return { guest, changes, messages, remove: (state: CloneState = fakeState()) => remove(run, state, messages) };
}

const DELETE = (node: string) => `DELETE /nodes/${node}/qemu/9101 {"purge":true,"destroy-unreferenced-disks":false}`;

describe("a clone is deleted", () => {
  it("after it was shut down, in the time that its config gives it", async () => {
    const { remove, changes, messages } = pve({ running: true });
    await remove(fakeState({ spec: fakeClone({ shutdownSeconds: 5 }) }));
    expect(changes()).toEqual([
      'POST /nodes/pve1/qemu/9101/status/shutdown {"timeout":5,"forceStop":true}',
      DELETE("pve1"),
    ]);
    expect(messages.said).toEqual(["report: shutting web-1 down, for up to 5 s", "report: deleting web-1"]);
  });

  it("at once when it does not run; wherever it was moved", async () => {
    const { remove, changes } = pve({ node: "pve2" });
    await remove();
    expect(changes()).toEqual([DELETE("pve2")]);
  });

  it("when it is moved between the look and the deletion: it would be left over", async () => {
    const { remove, changes } = pve({}, (call, guest) => {
      if (call.includes("pve1")) guest.node = "pve2";
    });
    await remove();
    expect(changes()).toEqual([DELETE("pve1"), DELETE("pve2")]);
  });

  it("when it is moved before it could be shut down", async () => {
    const { remove, guest, changes } = pve({ running: true }, (call, at) => {
      if (call.includes("pve1")) at.node = "pve2";
    });
    await remove();
    expect(guest.node).toBeUndefined();
    expect(changes()).toContain(DELETE("pve2"));
  });

  it("not while it never stays where it was looked at", async () => {
    const { remove } = pve({}, (call, guest) => {
      guest.node = call.includes("pve1") ? "pve2" : "pve1";
    });
    await expect(remove()).rejects.toThrow("VM 9101 moved to another node 5 times while it was to be deleted");
  });

  it("when its set has another name today, or it has lost its notes", async () => {
    const renamed = pve({ config: { description: OURS.replace("cloneSets.web", "cloneSets.app") } });
    await renamed.remove();
    expect(renamed.changes()).toEqual([DELETE("pve1")]);
    const unmarked = pve({ config: { name: "web-1", smbios1: `uuid=${UUID}` } });
    await unmarked.remove();
    expect(unmarked.changes()).toEqual([DELETE("pve1")]);
  });

  it("that is gone already is fine", async () => {
    const { remove, changes } = pve({ node: undefined });
    await remove();
    expect(changes()).toEqual([]);
  });
});

describe("nothing is deleted", () => {
  it("that is protected, and it is not stopped for nothing", async () => {
    const { remove, changes } = pve({ running: true, config: { description: OURS, protection: 1 } });
    await expect(remove()).rejects.toThrow(/could not delete web-1 .*\n.*run: qm set 9101 --protection 0/);
    expect(changes()).toEqual([]);
  });

  it.each<[string, Partial<Guest>, string]>([
    [
      "that this stack did not make",
      { config: { name: "mail" } },
      'VM "mail" on node pve1, which this stack did not make',
    ],
    [
      "of another stack",
      { config: { name: "web-1", description: OURS.replace("fleet=c1d2be9a", "fleet=00000000") } },
      'VM "web-1" on node pve1, which belongs to stack organization/golden/test',
    ],
    [
      "that is a template of this stack",
      { config: { name: "noble", template: 1, description: OURS.replace("cloneSets.web", "templates.noble") } },
      'template "noble" on node pve1, which is templates.noble of this stack',
    ],
    ["that is a container", { type: "lxc", config: { name: "mail" } }, 'container "mail" on node pve1'],
  ])("%s", async (_what, guest, whose) => {
    const { remove, changes } = pve(guest);
    await expect(remove()).rejects.toThrow(`VMID 9101 is taken by ${whose}; it is not deleted`);
    // A clone that was never made is not missed, and must not stop a destroy.
    const { made: _, ...never } = fakeState({ status: "failed" });
    await remove(never);
    expect(changes()).toEqual([]);
  });
});
