import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { openProbe, type Probe } from "./probe.ts";

const setupMs = 240_000;
const testMs = 60_000;
let probe: Probe;

beforeAll(async () => {
  probe = await openProbe();
  await probe.template(600);
  // Four drives, as the program's templates have.
  await probe.lab.control.addVm({
    vmid: 700,
    template: true,
    config: {
      efidisk0: "local-lvm:base-700-disk-0,size=4M",
      scsi0: "local-lvm:base-700-disk-1,size=2G",
      tpmstate0: "local-lvm:base-700-disk-2,size=4M",
      ide2: "local-lvm:vm-700-cloudinit,media=cdrom",
    },
  });
}, setupMs);

afterAll(() => probe?.close());

afterEach(async () => {
  const { vms } = await probe.lab.control.state();
  for (const vmid of Object.keys(vms).map(Number)) if (vmid > 700 && vmid < 800) await probe.lab.control.deleteVm(vmid);
});

const clones = (count: number, source = 700) =>
  Promise.all(
    Array.from({ length: count }, (_, n) =>
      probe.run("POST", `/nodes/pve1/qemu/${source}/clone`, { newid: source + 1 + n }),
    ),
  );

describe("conditions", () => {
  test("instant: a task has ended when its request is answered", { timeout: testMs }, async () => {
    await probe.lab.control.conditions("instant");
    const { data } = await probe.session.send("fleet-token", "POST", "/nodes/pve1/qemu/700/clone", { newid: 701 });
    const status = await probe.get(`/nodes/pve1/tasks/${encodeURIComponent(String(data))}/status`);
    expect(status).toMatchObject({ status: "stopped", exitstatus: "OK" });
    const vms = await probe.get<object[]>("/cluster/resources", { type: "vm" });
    expect(vms).toContainEqual(expect.objectContaining({ vmid: 701, status: "stopped" }));
  });

  test("node: an answer takes 20 ms, and a task goes on after it", { timeout: testMs }, async () => {
    await probe.lab.control.conditions("node");
    await probe.lab.control.clearRequests();
    const { data } = await probe.session.send("fleet-token", "POST", "/nodes/pve1/qemu/700/clone", { newid: 701 });
    expect((await probe.lab.control.state()).running).toEqual([data]);
    expect((await probe.session.ended(String(data))).exitstatus).toBe("OK");
    const { api } = await probe.lab.control.requests();
    expect(Math.min(...api.map(({ seconds }) => seconds ?? 0))).toBeGreaterThanOrEqual(0.02);
  });

  test("forty clones at once: twelve fail on the datastore's lock, as they did on a node", {
    timeout: testMs,
  }, async () => {
    await probe.lab.control.conditions("node");
    // Slowly enough that what this machine does meanwhile counts for little.
    await probe.lab.control.timeScale(0.5);
    const failed = (await clones(40)).filter(({ exitstatus }) => exitstatus !== "OK");
    expect(failed.length).toBeGreaterThanOrEqual(6);
    expect(failed.length).toBeLessThanOrEqual(20);
    for (const { exitstatus } of failed) expect(exitstatus).toMatch(/^clone failed: can't lock file .* got timeout$/);
    expect(Object.keys(await probe.lab.control.vms()).filter((id) => id > "700" && id < "800")).toHaveLength(
      40 - failed.length,
    );
  });
});
