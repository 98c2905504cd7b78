import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { markText, notes } from "../fleet/ownership.ts";
import { type Lab, startLab } from "../lab/lab.ts";
import { freeVmId, type Slot } from "../providers/templateVm/freeVmId.ts";
import { afterFailure, beforeUpdate } from "../providers/templateVm/hooks.ts";
import { createFailed } from "../providers/templateVm/onError.ts";
import { PveClient } from "../proxmox/client.ts";
import { clientOf } from "./provider.ts";

const mark = { fleetId: "f1", stack: "o/p/s", resource: "templates.noble", vmId: 300, content: "c1" };
const slot: Slot = { node: "pve1", vmId: 300, notes: notes("golden", mark), becomesTemplate: true };
const plainSlot: Slot = { ...slot, becomesTemplate: false };

describe("the VMID of a VM that is about to be created", () => {
  let dir: string;
  let lab: Lab;
  let client: PveClient;
  const vm = async () => (await lab.control.state()).vms["300"];
  const add = (description: string, more: object = {}) =>
    lab.control.addVm({
      vmid: 300,
      config: { name: "noble", description, scsi0: "local-lvm:vm-300-disk-0,size=2G" },
      ...more,
    });
  const refusal = async (one: Slot = slot) => {
    const before = await lab.control.state();
    const text = await freeVmId(client, one).then(
      (outcome) => outcome,
      (error: Error) => error.message,
    );
    expect((await lab.control.state()).vms).toEqual(before.vms);
    return text;
  };

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), "golden-fleet-"));
    lab = await startLab({ dir, timeScale: 0.01 });
    client = new PveClient(clientOf(lab).connection, { pauseMs: 1 });
  });
  afterAll(async () => {
    await client?.close();
    await lab?.stop();
    if (dir) await rm(dir, { recursive: true, force: true });
  });
  afterEach(async () => {
    await lab.control.clearFaults();
    await lab.control.timeScale(0.01);
    if (await vm()) await lab.control.deleteVm(300);
  });

  it("is free when nobody has it", async () => {
    expect(await freeVmId(client, slot)).toBe("free");
  });

  it.each([
    ["a VM without a mark", "payroll", "this stack did not make"],
    ["another stack's VM", notes("", { ...mark, fleetId: "f2", stack: "o/p/prod" }), "stack o/p/prod made"],
    ["another template of ours", notes("", { ...mark, resource: "templates.jammy" }), "made as templates.jammy"],
    ["a clone that somebody made of our template by hand", notes("", { ...mark, vmId: 9000 }), "made"],
  ])("is not taken from %s", async (_, description, text) => {
    await add(description);
    const message = await refusal();
    expect(message).toMatch(
      /^could not create the VM \(node pve1, VM 300\)\n {2}VMID 300 is taken by VM "noble" on node pve1/,
    );
    expect(message).toContain(text);
    expect(message).toContain("Choose another vmId; the VM was left alone.");
  });

  it("is not taken from a VM that was migrated to another node", async () => {
    await add("payroll", { node: "pve2" });
    // The list of all guests lags.
    await expect.poll(() => refusal()).toContain("on node pve2");
  });

  it("is freed of what a killed run has left half-made, even if it runs", async () => {
    await add(notes("", { ...mark, content: "older" }), { status: "running" });
    expect(await freeVmId(client, slot)).toBe("removed");
    expect(await vm()).toBeUndefined();
  });

  it("keeps a template or a plain VM that is finished, for the plugin to take over", async () => {
    await add(slot.notes, { template: true });
    expect(await refusal()).toBe("finished");
    await lab.control.deleteVm(300);
    await add(slot.notes);
    expect(await refusal(plainSlot)).toBe("finished");
  });

  it("is left to the same template under another key", async () => {
    const renamed = { ...slot, notes: notes("golden", { ...mark, resource: "templates.golden" }) };
    await add(slot.notes, { template: true });
    expect(await refusal(renamed)).toBe("finished");
    await lab.control.deleteVm(300);
    await add(notes("", { ...mark, content: "c2" }), { template: true });
    expect(await refusal(renamed)).toMatch(/which stack o\/p\/s made as templates\.noble\n.*Choose another vmId/);
  });

  it("does not delete a finished VM with another content, which the state does not know: it says how", async () => {
    await add(notes("", { ...mark, content: "older" }), { template: true });
    expect(await refusal()).toMatch(/its state does not know it\n.*qm destroy 300 --purge/);
  });

  it("waits for PVE, which goes on creating the VM that a killed run asked for", async () => {
    await lab.control.timeScale(0.3);
    const options = { vmid: 300, name: "noble", description: slot.notes, scsi0: "local-lvm:2" };
    await client.post("/nodes/pve1/qemu", options);
    expect((await vm())?.config).toEqual({ lock: "create" });
    const said: string[] = [];
    expect(await freeVmId(client, slot, (line) => said.push(line))).toBe("removed");
    expect(said).toEqual([
      "waiting for PVE, which is still busy with VM 300 (qmcreate)",
      "removing VM 300, which an earlier run left half-made",
    ]);
    expect((await lab.control.state()).volumes["pve1/local-lvm"]).not.toHaveProperty("vm-300-disk-0");
  });

  it("says what root has to do when PVE's own task died in the middle", async () => {
    await lab.control.timeScale(1);
    await client.post("/nodes/pve1/qemu", { vmid: 300, name: "noble", description: slot.notes, scsi0: "local-lvm:2" });
    await lab.control.killTask({ type: "qmcreate", vmid: 300 });
    expect(await refusal()).toMatch(/lock: create.*\n.*qm unlock 300 && qm destroy 300 --purge/);
  });

  describe("when the plugin could not create the VM", () => {
    const failed = async (failures: string[]) => {
      const said = { report: [] as string[], error: [] as string[] };
      const again = await createFailed(client, slot, failures, {
        report: (line) => said.report.push(line),
        error: (line) => said.error.push(line),
      });
      return { again, ...said };
    };
    const busy = "VM create: task failed to complete with exit code: can't lock file '/x' - got timeout";

    it("tries again three times while PVE is busy, and removes what is left", async () => {
      await add(slot.notes);
      const { again, report } = await failed([busy]);
      expect([again, await vm()]).toEqual([true, undefined]);
      expect(report[0]).toMatch(/^PVE is busy \(.*got timeout\); try 2 of 4$/);
      expect((await failed([busy, busy, busy])).again).toBe(true);
      const last = await failed([busy, busy, busy, busy]);
      expect(last.again).toBe(false);
      expect(last.error[0]).toMatch(
        /could not create the VM \(node pve1, VM 300\)\n.*got timeout\n.*run `pulumi up` again/,
      );
    });

    it("does not try again what PVE refused, and says what to do", async () => {
      const { again, error } = await failed(["1 error occurred:\n\t* HTTP 403 - Permission check failed (/vms/300)"]);
      expect(again).toBe(false);
      expect(error[0]).toMatch(/Permission check failed.*\n.*pulumi preview/);
    });

    it("adds the end of the task's log", async () => {
      const exit = "unable to create VM 300 - no space left on device";
      await lab.control.failTask("qmcreate", exit);
      await client.post("/nodes/pve1/qemu", { vmid: 300, scsi0: "local-lvm:2" });
      await expect.poll(async () => (await lab.control.state()).running).toEqual([]);
      const { again, error } = await failed([`task "UPID" failed to complete with exit code: ${exit}`]);
      expect(again).toBe(false);
      expect(error[0]).toMatch(/PVE task qmcreate 300 failed: .*\n {2}task log: .*TASK ERROR.*\n {2}Make room/);
    });
  });

  describe("before the plugin changes the VM", () => {
    const change = (one: Slot = slot) =>
      beforeUpdate(client.connection, one, () => undefined).then(
        () => "",
        (error: Error) => error.message,
      );

    it("has to be ours, by the mark, or for a template by the fleet's tag where somebody has emptied the notes", async () => {
      await add(notes("", { ...mark, content: "older" }));
      expect(await change()).toBe("");
      await lab.control.patchConfig(300, { set: { description: "", tags: "base;fleet-f1" } });
      expect(await change()).toContain(`put this line back into them:\n  ${markText(mark)}`);
      await lab.control.patchConfig(300, { set: { template: 1 } });
      expect(await change()).toBe("");
      await lab.control.patchConfig(300, { set: { tags: "base;fleet-f2" } });
      expect(await change()).toMatch(
        /^could not change the VM \(node pve1, VM 300\)\n {2}VMID 300 is taken by template "noble" on node pve1, which this stack did not make. It is left alone/,
      );
    });

    it("has to be there", async () => {
      expect(await change()).toContain("VM 300 does not exist\n  Run `pulumi refresh`, then `pulumi up`");
    });

    it("is not removed when the change fails, however often", async () => {
      // A plain VM that is about to become a template: nothing of it may get lost.
      await add(notes("", { ...mark, content: "older" }));
      const before = await vm();
      const said: string[] = [];
      const messages = { report: () => undefined, error: (line: string) => said.push(line) };
      const busy = "VM update: can't lock file '/x' - got timeout";
      for (const again of [true, true, true, false]) {
        const failures = Array.from({ length: again ? 1 : 4 }, () => busy);
        const failed = afterFailure(client.connection, slot, { operation: "update", errors: failures }, messages);
        expect(await failed).toBe(again);
      }
      expect(said).toEqual([
        expect.stringMatching(/^could not change the VM .*\n.*got timeout\n.*run `pulumi up` again/),
      ]);
      expect(await vm()).toEqual(before);
    });
  });
});
