import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import type { CloneInfo } from "../providers/clone/cloneInfo.ts";
import { PveClient } from "../proxmox/client.ts";
import { migrateVm } from "../proxmox/migrateVm.ts";
import { openProject, type Project, type Run } from "./project.ts";

const SLOW = 0.5;
const FAST = 0.02;
const GIB = 1024;

let project: Project;
let before: Awaited<ReturnType<Project["lab"]["control"]["state"]>>;
const state = () => project.lab.control.state();
const vms = async () => (await state()).vms;
const up = (...args: string[]) => project.pulumi("up", ["--skip-preview", ...args]);
const steps = (run: Run) =>
  run.steps
    .filter(({ name }) => /-\d{4}$/.test(name))
    .map(({ op, name }) => `${op} ${name}`)
    .sort();
/** Where the clones of a set are, as the stack's outputs say: `web-1 pve1 ready`. */
const whereabouts = async (set: string) =>
  ((await project.outputs()).clones as Record<string, CloneInfo[]>)[set]?.map(
    ({ name, node, status }) => `${name} ${node} ${status}`,
  );
const counted = (set: string, firstVmId: number, count: number, change: Record<string, unknown> = {}) =>
  project.configure((config) => {
    const numbered = { count, namePattern: `${set}-{n}`, firstVmId, shutdownSeconds: 0 };
    config.cloneSets = { [set]: { template: "noble", ...numbered, ...change } };
  });
/** The boot disk of a VM; of a linked clone it names the template's. */
const diskOf = async (vmId: number) => String((await vms())[vmId]?.config.scsi0);

/** All but that the set of the test before goes. */
const told = ({ diagnostics }: { diagnostics: string }) => diagnostics.replace(/^clones-lost: .*\n?/gm, "");

beforeAll(async () => {
  project = await openProject();
  // Whole sets are deleted here on purpose.
  project.env.GOLDEN_FLEET_ALLOW_DELETES = "100";
  before = await state();
});
afterAll(() => project?.close());
afterEach(async () => {
  await project.lab.control.clearFaults();
  await project.lab.control.timeScale(FAST);
});

describe("clones of a template with a replica on each of two nodes, on local storage", () => {
  it("go to the nodes in turn, each made from the replica there", async () => {
    await project.lab.control.storage("local", { content: "images,import,iso,snippets" });
    await project.configure((config) => {
      Object.assign(config.templates?.noble ?? {}, { nodes: ["pve1", "pve2"], disk: { datastore: "local" } });
    });
    await counted("web", 9101, 4);
    const run = await up();
    expect([told(run), run.code]).toEqual(["", 0]);
    expect(await whereabouts("web")).toEqual([
      "web-1 pve1 ready",
      "web-2 pve2 ready",
      "web-3 pve1 ready",
      "web-4 pve2 ready",
    ]);
    expect(await Promise.all([9101, 9102, 9103, 9104].map(diskOf))).toEqual(
      ["base-9000-", "base-9001-", "base-9000-", "base-9001-"].map((base) => expect.stringContaining(base)),
    );
  });

  it("on a node that loses its power fail there; the others are made, and the next up makes the rest", async () => {
    await counted("web", 9101, 8);
    await project.lab.control.timeScale(SLOW);
    const path = "/nodes/pve2/qemu/9001/clone";
    await project.lab.control.justBefore({ method: "POST", path }, "node_online", { node: "pve2", online: false });
    const run = await up();
    expect(run.code, run.output).toBe(0);
    expect(await whereabouts("web")).toEqual([
      ...["web-1 pve1 ready", "web-2 pve2 ready", "web-3 pve1 ready", "web-4 pve2 ready"],
      ...[
        "web-5 pve1 ready",
        expect.stringMatching(/web-6 .*failed/),
        "web-7 pve1 ready",
        expect.stringMatching(/web-8 .*failed/),
      ],
    ]);
    expect(run.diagnostics).toMatch(/could not make web-([68]), a linked clone of template 9001 \(node pve2, VM 910\1/);

    await project.lab.control.nodeOnline("pve2", true);
    // What root has to do about clones that were under way; the crash tests look at what is said of it.
    const all = await vms();
    for (const vmId of Object.keys(all).filter((one) => all[one]?.config.lock === "clone"))
      await project.lab.control.deleteVm(Number(vmId));
    const next = await up();
    expect([next.diagnostics, next.code]).toEqual(["", 0]);
    expect(steps(next)).toEqual(["update vm-9106", "update vm-9108"]);
    expect((await vms())["9108"]).toMatchObject({ node: "pve2", status: "running" });
  });

  it("that lost their power with it are started again once a refresh has seen them", async () => {
    const run = await up("--refresh");
    expect([told(run), run.code]).toEqual(["", 0]);
    expect(steps(run).filter((step) => step.startsWith("update"))).toEqual(["update vm-9102", "update vm-9104"]);
    expect(
      Object.values(await vms()).filter(({ status, name }) => name?.startsWith("web-") && status !== "running"),
    ).toEqual([]);
  });

  it("cannot be moved to the other node when they are linked: the run says so, and what to do", async () => {
    const old = await vms();
    await counted("web", 9101, 2, { nodes: ["pve1"] });
    const run = await up();
    expect(run.code).toBe(0);
    expect(run.diagnostics).toContain("web-2 failed");
    expect(run.diagnostics).toContain("A linked clone whose disks are on a datastore of node pve2 alone stays there");
    expect((await vms())["9102"]).toEqual(old["9102"]);
    await counted("web", 9101, 2);
    const back = await up();
    expect([back.diagnostics, back.code]).toEqual(["", 0]);
    expect(steps(back)).toEqual(["update vm-9102"]);
  });

  it("fill one node after the other with packed", async () => {
    await counted("web", 9101, 0);
    expect((await up()).code).toBe(0);
    const nas = Object.values(await vms()).filter(({ node, status }) => node === "pve1" && status === "running");
    const used = nas.reduce((sum, { config }) => sum + Number(config.memory), 0);
    // Room for two of 8 GiB, and 4 GiB for the node itself.
    await project.lab.control.node("pve1", { memoryMiB: used + 20 * GIB });
    await counted("web", 9101, 3, { placement: "packed", memoryMiB: 8 * GIB });
    const run = await up();
    expect([told(run), run.code]).toEqual(["", 0]);
    const nodes = Object.values(await vms()).flatMap(({ name, node }) => (name?.startsWith("web-") ? [node] : []));
    expect(nodes.sort()).toEqual(["pve1", "pve1", "pve2"]);
  });

  it("go where the most memory is free with memory", async () => {
    await counted("db", 9201, 2, { placement: "memory", memoryMiB: 2 * GIB });
    const run = await up();
    expect([told(run), run.code]).toEqual(["", 0]);
    expect(await whereabouts("db")).toEqual(["db-1 pve2 ready", "db-2 pve2 ready"]);
  });
});

describe("clones of a template on shared storage", () => {
  const macs = async () =>
    Object.fromEntries(
      Object.entries(await vms()).map(([vmId, { config }]) => [
        vmId,
        /virtio=([0-9A-F:]+)/.exec(String(config.net0))?.[1],
      ]),
    );

  it("are made on any node from the one template", async () => {
    const { control } = project.lab;
    await control.storage("san", { create: { type: "rbd", pool: "rbd", content: "images" } });
    await control.storage("nfs", {
      create: { type: "nfs", path: "/mnt/pve/nfs", server: "nas", export: "/export", content: "snippets" },
    });
    await project.configure((config) => {
      const { noble } = config.templates ?? {};
      Object.assign(noble ?? {}, { vmId: 9010 });
      delete noble?.nodes;
      delete noble?.disk;
      Object.assign(config.cluster, { datastores: { disks: "san", snippets: "nfs" } });
    });
    await counted("app", 9301, 2, { nodes: ["pve1", "pve2"] });
    const run = await up();
    expect([told(run), run.code]).toEqual(["", 0]);
    expect(await whereabouts("app")).toEqual(["app-1 pve1 ready", "app-2 pve2 ready"]);
    const clones = (await control.requests()).api.filter(({ path }) => path.endsWith("/9010/clone"));
    expect(clones.map(({ path, params }) => `${path} ${params.target}`).sort()).toEqual([
      "/nodes/pve1/qemu/9010/clone pve2",
      "/nodes/pve1/qemu/9010/clone undefined",
    ]);
  });

  it("stay where somebody has moved them by hand", async () => {
    const { endpoint, caFile, rootToken } = project.lab;
    const [id = "", secret = ""] = rootToken.split("=");
    const client = new PveClient({ endpoint, tls: { insecure: false, caFile }, login: { kind: "token", id, secret } });
    await migrateVm(client, { node: "pve1", vmId: 9301 }, "pve2");
    for (const run of [await up(), await up("--refresh")]) {
      expect([told(run), run.code]).toEqual(["", 0]);
      expect(steps(run).filter((step) => !step.startsWith("refresh"))).toEqual([]);
    }
    expect(await whereabouts("app")).toEqual(["app-1 pve2 ready", "app-2 pve2 ready"]);
  });

  it("move, running, when the config takes their node away", async () => {
    const old = await macs();
    await counted("app", 9301, 2, { nodes: ["pve1"] });
    const run = await up();
    expect([told(run), run.code]).toEqual(["", 0]);
    expect(steps(run)).toEqual(["update vm-9301", "update vm-9302"]);
    expect(await whereabouts("app")).toEqual(["app-1 pve1 ready", "app-2 pve1 ready"]);
    const all = await vms();
    expect([9301, 9302].map((vmId) => `${all[vmId]?.node} ${all[vmId]?.status}`)).toEqual(
      Array(2).fill("pve1 running"),
    );
    expect(await macs()).toEqual(old);
    expect((await project.pulumi("preview", ["--expect-no-changes"])).code).toBe(0);
  });
});

it("destroy leaves the cluster as it was", async () => {
  const run = await project.pulumi("destroy");
  expect([told(run), run.code]).toEqual(["", 0]);
  const after = await state();
  expect(after.vms).toEqual(before.vms);
  expect(Object.values(after.volumes).flatMap((one) => Object.keys(one))).toEqual(
    Object.values(before.volumes).flatMap((one) => Object.keys(one)),
  );
});
