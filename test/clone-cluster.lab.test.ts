import { describe, expect, it } from "vitest";
import type { CloneInputs } from "../providers/clone/inputs.ts";
import type { CloneState } from "../providers/clone/state.ts";
import {
  asked,
  asRoot,
  beginRun,
  config,
  diff,
  failing,
  inputs,
  lab,
  made,
  provider,
  read,
  remove,
  update,
  useCloneLab,
  vm,
  warned,
} from "./cloneLab.ts";

/** What a cluster does to clones: HA, migrations, nodes that are down, a busy API. */

useCloneLab();

const off = (change: Partial<CloneInputs> = {}) => inputs(1, { start: false, ...change });
const count = async (request: string) => (await asked()).filter((one) => one === request).length;

describe("a clone that HA manages", () => {
  const managed = async (n = 1): Promise<CloneState> => {
    const state = await made(inputs(n));
    await lab.control.haManaged(9100 + n);
    return state;
  };

  it("is started, and waited for until it runs: PVE's task only asks the HA manager", async () => {
    const state = await made(off());
    await lab.control.haManaged(9101, "stopped");
    expect((await update(state, inputs())).status).toBe("ready");
    expect((await vm())?.status).toBe("running");
  });

  it("is stopped before it is deleted, although the task that stops it ends at once", async () => {
    const state = await managed();
    await remove(state);
    expect(await vm()).toBeUndefined();
    expect((await lab.control.state()).ha).toEqual({});
  });

  it("that HA has restarted elsewhere, because its node died, is looked at, changed and deleted where it is", async () => {
    // A VMID of its own: what the dead node keeps of its volumes is nobody's any more.
    const state = await managed(5);
    await lab.control.ha({ recoverySeconds: 1 });
    await lab.control.nodeOnline("pve1", false);
    await expect.poll(async () => (await vm(9105))?.node).toBe("pve2");
    beginRun();
    expect((await read(state))?.outs).toMatchObject({ node: "pve2" });
    const next = await update(state, inputs(5, { onBoot: true, start: false }));
    expect(next).toMatchObject({ node: "pve2", spec: { onBoot: true } });
    expect((await vm(9105))?.config.onboot).toBe(1);
    await remove(next);
    expect(await vm(9105)).toBeUndefined();
  });
});

describe("a clone that moves while it is worked on", () => {
  it("between the look and its deletion is deleted where it went, and does not stay as an orphan", async () => {
    const state = await made(off());
    await lab.control.justBefore({ method: "DELETE", path: "/nodes/pve1/qemu/9101" }, "move_vm", {
      vmid: 9101,
      node: "pve2",
    });
    await remove(state);
    expect(await vm()).toBeUndefined();
    expect(await count("DELETE /nodes/pve2/qemu/9101")).toBe(1);
  });
});

describe("migrating a clone to another node", () => {
  const onBoth = [{ node: "pve2", sourceVmId: 9002, sourceNode: "pve1" }];

  it("that fails is not said to be done: the state keeps the old node, and the next run tries it again", async () => {
    const state = await made(off());
    await lab.control.failTask("qmigrate", "migration aborted", 1, 9101, ["the target has no room"]);
    const failed = await update(state, off({ places: onBoth, onBoot: true }));
    expect(failed).toMatchObject({
      status: "failed",
      node: "pve1",
      spec: { places: state.spec.places, onBoot: false },
    });
    expect(failed.error).toContain("migration aborted");
    expect(failed.error).toContain("the target has no room");
    expect(failed.error).not.toContain("A linked clone");
    expect(await diff(failed, off({ places: onBoth, onBoot: true }))).toMatchObject({ changes: true, replaces: [] });
  });

  it("says of a linked clone that its disks hold it where its template is, with PVE's own log", async () => {
    const state = await made(off());
    const log = ["can't migrate 'local-lvm:vm-9101-disk-0' as it's a clone of 'base-9000-disk-0'"];
    await lab.control.failTask("qmigrate", "migration aborted", 1, 9101, log);
    const failed = await update(state, off({ places: onBoth }));
    expect(failed.error).toContain(log[0]);
    expect(failed.error).toContain("A linked clone whose disks are on a datastore of node pve1 alone stays there");
  });
});

describe("pvedaemon's hiccup, `got no worker upid`", () => {
  it.each([false, true])("at a clone is got over, whether the task has begun or not (%s)", async (started) => {
    await lab.control.hiccup({ method: "POST", path: "/nodes/{node}/qemu/{vmid}/clone", started });
    expect((await made()).status).toBe("ready");
    const clones = (await lab.control.tasks()).filter(
      ({ type, exitstatus }) => type === "qmclone" && exitstatus === "OK",
    );
    expect(clones.length).toBeGreaterThan(0);
    expect(warned).toEqual([]);
  });

  it.each([false, true])("at a start is got over, whether the task has begun or not (%s)", async (started) => {
    await lab.control.hiccup({ method: "POST", path: "/nodes/{node}/qemu/{vmid}/status/start", started });
    expect((await made()).status).toBe("ready");
    expect(await count("POST /nodes/pve1/qemu/9101/status/start")).toBe(started ? 1 : 2);
  });

  it.each([false, true])(
    "at stop and deletion is got over, whether the task has begun or not (%s)",
    async (started) => {
      const state = await made();
      await lab.control.hiccup({ method: "POST", path: "/nodes/{node}/qemu/{vmid}/status/stop", started });
      await lab.control.hiccup({ method: "DELETE", path: "/nodes/{node}/qemu/{vmid}", started });
      await remove(state);
      expect(await vm()).toBeUndefined();
    },
  );
});

describe("an answer that got lost, or a proxy that could not reach the node,", () => {
  const changes = off({ diskGiB: 3, bootDisk: "scsi0", pool: "web" });

  it.each(["before", "after"] as const)("is got over when disk and pool are changed (%s it was done)", async (when) => {
    await lab.control.pool("web");
    const state = await made(off());
    await lab.control.cut("PUT", "/pools", when);
    await lab.control.cut("PUT", "/nodes/pve1/qemu/9101/resize", when);
    expect(await update(state, changes)).toMatchObject({ status: "stopped", spec: { pool: "web", diskGiB: 3 } });
    expect(await vm()).toMatchObject({ pool: "web", config: { scsi0: expect.stringContaining("size=3G") } });
  });

  it("is got over when PVE says 595", async () => {
    await lab.control.pool("web");
    const state = await made(off());
    for (const path of ["/nodes/{node}/qemu/{vmid}/resize", "/pools"]) {
      await lab.control.fail({ method: "PUT", path, status: 595, message: "No route to host" });
    }
    expect((await update(state, changes)).status).toBe("stopped");
  });
});

describe("the cluster's own trouble", () => {
  it("ends the run with an error that keeps what was made; the others are not tried, and say why", async () => {
    await lab.control.quorum(false);
    const error = (await failing(provider.create(config, inputs()))) as Error & { state?: CloneState };
    expect(error.message).toContain("lost quorum");
    expect(error.state).toMatchObject({ status: "failed" });
    const others = await Promise.all([made(inputs(2)), made(inputs(3))]);
    for (const { status, error: reason } of others) {
      expect(status).toBe("failed");
      expect(reason).toMatch(/^not tried: /);
    }
    expect(warned).toEqual([]);
    await lab.control.quorum(true);
    beginRun();
    const [mended] = await Promise.all([update(others[0] as CloneState, inputs(2))]);
    expect(mended?.status).toBe("ready");
  });

  it("in the middle of a clone keeps the VM that was made", async () => {
    await lab.control.fail({
      method: "PUT",
      path: "/nodes/pve1/qemu/9101/config",
      status: 401,
      message: "token expired",
      times: 1,
    });
    const error = (await failing(provider.create(config, inputs()))) as Error & { state?: CloneState };
    expect(error.state).toMatchObject({ status: "failed", node: "pve1", made: { template: "0123456789ab" } });
    beginRun();
    expect((await update(error.state as CloneState, inputs())).status).toBe("ready");
  });
});

describe("a full clone on another datastore", () => {
  const full = (change: Partial<CloneInputs> = {}) => inputs(1, { full: true, ...change });

  it("than the template's default, which has changed, stays where it is", async () => {
    const state = await made(full());
    expect(await diff(state, full({ templateDatastore: "fast" }))).toMatchObject({ changes: false, replaces: [] });
  });

  it("that the config names now is moved there by PVE, running, and keeps its VM", async () => {
    await lab.control.storage("fast", {
      create: { type: "lvmthin", vgname: "pve", thinpool: "fast", content: "images" },
    });
    const state = await made(full());
    const { uuid } = state.made ?? {};
    const news = full({ datastore: "fast" });
    expect(await diff(state, news)).toMatchObject({ changes: true, replaces: [] });
    const next = (await provider.update(asRoot, "9101", state, news)) as CloneState;
    expect(next).toMatchObject({ status: "ready", made: { datastore: "fast", uuid } });
    expect((await vm())?.config).toMatchObject({
      scsi0: expect.stringMatching(/^fast:/),
      scsi30: expect.stringMatching(/^fast:/),
    });
    expect((await diff(next, news)).changes).toBe(false);
    expect((await read(next))?.outs).toEqual(next);
  });
});

describe("a pool", () => {
  it("takes in a VM that is adopted, and lets go of a clone that the config has taken out", async () => {
    await lab.control.pool("web");
    await lab.control.pool("old");
    await lab.control.addVm({ vmid: 9101, config: { name: "mail", scsi0: "local-lvm:vm-9101-disk-0,size=4G" } });
    await lab.control.pool("old", { vms: [9101] });
    const state = await made(off({ adopt: true, pool: "web" }));
    expect(state.spec.pool).toBe("web");
    expect((await vm())?.pool).toBe("web");
    expect((await diff(state, off({ adopt: true }))).changes).toBe(true);
    const out = await update(state, off({ adopt: true }));
    expect(out.spec).not.toHaveProperty("pool");
    expect((await vm())?.pool).toBeNull();
  });

  it("that somebody else has put a clone into shows as drift", async () => {
    await lab.control.pool("web");
    await lab.control.pool("other");
    const state = await made(off({ pool: "web" }));
    await lab.control.pool("other", { vms: [9101] });
    const seen = (await read(state))?.outs as CloneState;
    expect(seen.spec.pool).toBe("other");
    await update(seen, off({ pool: "web" }));
    expect((await vm())?.pool).toBe("web");
  });
});

describe("notes", () => {
  it("that people added stay when anything else changes, and when the description does", async () => {
    const state = await made(off({ description: "web server" }));
    const notes = String((await vm())?.config.description);
    await lab.control.patchConfig(9101, {
      set: { description: `${notes.replace("web server", "web server\n\nask Ann")}` },
    });
    const next = await update(state, off({ description: "web server", onBoot: true }));
    expect((await vm())?.config.description).toMatch(/^web server\n\nask Ann\n\nproxmox-golden-fleet: /);
    await update(next, off({ description: "app server", onBoot: true }));
    expect((await vm())?.config.description).toMatch(/^app server\n\nask Ann\n\nproxmox-golden-fleet: /);
  });

  it("that were emptied by hand do not disown a clone: its UUID says that it is this one, and up writes them again", async () => {
    const state = await made(off());
    await lab.control.patchConfig(9101, { delete: ["description"] });
    const seen = (await read(state))?.outs as CloneState;
    expect((await diff(seen, off())).changes).toBe(true);
    await update(seen, off());
    expect((await vm())?.config.description).toContain("resource=cloneSets.web vmid=9101");
  });
});
