import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openProject, type Project } from "./project.ts";

describe("clones that fail half-way", () => {
  let project: Project;

  beforeAll(async () => {
    project = await openProject();
  });
  afterAll(() => project?.close());

  it("are kept in the state, and the next up goes on with them", async () => {
    const message = "start failed: QEMU exited with code 1";
    await project.lab.control.fail({
      method: "POST",
      path: "/nodes/pve1/qemu/9102/status/start",
      status: 500,
      message,
    });
    const first = await project.pulumi("up");
    expect(first.code).not.toBe(0);
    expect(first.diagnostics).toContain(
      "could not configure and start web-2 (node pve1, VM 9102, datastore local-lvm)",
    );
    expect(first.diagnostics).toContain(message);
    expect((await project.lab.control.vms())["9102"]).toMatchObject({ status: "stopped", config: { name: "web-2" } });

    const second = await project.pulumi("up");
    expect(second.diagnostics).toBe("");
    expect(second.steps.filter(({ name }) => name === "web-web-2")).toEqual([{ op: "update", name: "web-web-2" }]);
    const { vms } = await project.lab.control.state();
    expect([9101, 9102, 9103].map((vmId) => vms[vmId]?.status)).toEqual(["running", "running", "running"]);
  });

  it("drift shows with refresh, the next up mends it, and destroy takes everything", async () => {
    await project.lab.control.patchConfig(9101, { set: { ipconfig0: "ip=dhcp" } });
    await project.lab.control.deleteVm(9102);
    await project.lab.control.power(9103, "stopped");
    expect((await project.pulumi("refresh")).code).toBe(0);
    const mended = await project.pulumi("up");
    expect(mended.code).toBe(0);
    expect(mended.steps.filter(({ name }) => name.startsWith("web-web-")).sort((a, b) => a.name.localeCompare(b.name))) //
      .toEqual([
        { op: "update", name: "web-web-1" },
        { op: "create", name: "web-web-2" },
        { op: "update", name: "web-web-3" },
      ]);
    expect(mended.diagnostics).toContain("web-1 runs with its old ipconfig0");
    const destroyed = await project.pulumi("destroy");
    expect(destroyed.diagnostics).toBe("");
    expect(Object.keys(await project.lab.control.vms()).sort()).toEqual(["100", "900"]);
  });
});
