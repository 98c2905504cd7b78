import { readFile } from "node:fs/promises";
import { Client } from "ssh2";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openProbe, type Probe } from "./probe.ts";

const setupMs = 240_000;
const testMs = 60_000;
let probe: Probe;

beforeAll(async () => {
  probe = await openProbe({ nodes: ["pve1", "pve2", "pve3"] });
  await probe.lab.control.storage("nfs", {
    create: {
      type: "nfs",
      path: "/mnt/pve/nfs",
      server: "10.0.0.9",
      export: "/srv",
      content: "images,snippets,import",
    },
  });
}, setupMs);

afterAll(() => probe?.close());

/** Writes a file by SFTP on one node. */
async function put(node: string, file: string, text: string): Promise<void> {
  const { address: host, port } = probe.lab.ssh.nodes[node] ?? probe.lab.ssh;
  const client = new Client();
  try {
    const privateKey = await readFile(probe.lab.ssh.privateKeyFile);
    await new Promise<void>((resolve, reject) => {
      client.once("ready", resolve).once("error", reject);
      client.connect({ host, port, username: "root", privateKey });
    });
    await new Promise<void>((resolve, reject) => {
      client.sftp((error, sftp) => {
        if (error) reject(error);
        else
          sftp.realpath(file, (missing, where) => {
            if (missing) reject(missing);
            else sftp.writeFile(where, text, (problem) => (problem ? reject(problem) : resolve()));
          });
      });
    });
  } finally {
    client.end();
  }
}

const snippets = async (node: string, storage: string): Promise<string[]> =>
  (await probe.get<{ volid: string }[]>(`/nodes/${node}/storage/${storage}/content`, { content: "snippets" })).map(
    ({ volid }) => volid,
  );

describe("several nodes", () => {
  test("each node has its own SSH and its own local snippets", { timeout: testMs }, async () => {
    expect(Object.keys(probe.lab.ssh.nodes)).toEqual(["pve1", "pve2", "pve3"]);
    await put("pve2", "/var/lib/vz/snippets/two.yaml", "#cloud-config\n");
    expect(await snippets("pve2", "local")).toEqual(["local:snippets/two.yaml"]);
    expect(await snippets("pve1", "local")).toEqual([]);
    expect((await probe.lab.control.requests()).ssh).toMatchObject([{ node: "pve2", what: "sftp write" }]);
  });

  test("a shared datastore is one for all nodes", { timeout: testMs }, async () => {
    await put("pve1", "/mnt/pve/nfs/snippets/all.yaml", "#cloud-config\n");
    for (const node of probe.lab.nodes) expect(await snippets(node, "nfs")).toEqual(["nfs:snippets/all.yaml"]);
    const storages = await probe.get<{ storage: string; shared: number }[]>("/nodes/pve3/storage");
    expect(storages.find(({ storage }) => storage === "nfs")?.shared).toBe(1);
  });

  test("a template on a local datastore is not cloned to another node", { timeout: testMs }, async () => {
    await probe.template(600);
    expect(await probe.refusal("POST", "/nodes/pve1/qemu/600/clone", { newid: 601, target: "pve2" })).toBe(
      "500 can't clone VM to node 'pve2' (VM uses local storage)",
    );
    expect(
      await probe.refusal("POST", "/nodes/pve1/qemu/600/clone", {
        newid: 601,
        target: "pve2",
        full: 1,
        storage: "local-lvm",
      }),
    ).toBe("500 can't clone to non-shared storage 'local-lvm'");
    expect((await probe.lab.control.vms())["601"]).toBeUndefined();
  });

  test("a template on a shared datastore is: linked and full", { timeout: testMs }, async () => {
    await probe.template(610, { disk: "nfs:610/base-610-disk-0.qcow2" });
    const linked = await probe.run("POST", "/nodes/pve1/qemu/610/clone", { newid: 611, target: "pve2" });
    const full = await probe.run("POST", "/nodes/pve1/qemu/610/clone", { newid: 612, target: "pve3", full: 1 });
    expect([linked.exitstatus, full.exitstatus]).toEqual(["OK", "OK"]);
    const { vms, volumes } = await probe.lab.control.state();
    expect(vms["611"]).toMatchObject({
      ...{ node: "pve2" },
      config: { scsi0: "nfs:610/base-610-disk-0.qcow2/611/vm-611-disk-0.qcow2,size=2G" },
    });
    expect(vms["612"]).toMatchObject({ node: "pve3", config: { scsi0: "nfs:612/vm-612-disk-0.qcow2,size=2G" } });
    expect(Object.keys(volumes.nfs ?? {})).toContain("612/vm-612-disk-0.qcow2");
    expect((await probe.run("POST", "/nodes/pve2/qemu/611/status/start")).exitstatus).toBe("OK");
    expect((await probe.run("DELETE", "/nodes/pve1/qemu/610")).exitstatus).toMatch(/still in use by linked cloned/);
  });
});

interface Listed {
  readonly vmid: number;
  readonly name?: string;
  readonly status: string;
  readonly tags?: string;
  readonly lock?: string;
  readonly template?: number;
}

describe("lists", () => {
  const vm = async (path: string, vmid: number): Promise<Listed | undefined> =>
    (await probe.get<Listed[]>(path)).find((one) => one.vmid === vmid);
  const everywhere = (vmid: number): Promise<Listed | undefined> => vm("/cluster/resources?type=vm", vmid);

  test("a node lists its own guests as they are now, the cluster as they were", { timeout: testMs }, async () => {
    await probe.template(620);
    await probe.lab.control.timeScale(0.3);
    const cloned = await probe.session.send("fleet-token", "POST", "/nodes/pve1/qemu/620/clone", {
      ...{ newid: 621, name: "web-1" },
    });
    expect(await vm("/nodes/pve1/qemu", 621)).toMatchObject({ lock: "clone", status: "stopped", name: "VM 621" });
    expect((await probe.session.ended(String(cloned.data))).exitstatus).toBe("OK");
    await probe.session.send("fleet-token", "PUT", "/nodes/pve1/qemu/621/config", { tags: "Fleet" });
    expect((await probe.run("POST", "/nodes/pve1/qemu/621/status/start")).exitstatus).toBe("OK");
    expect(await vm("/nodes/pve1/qemu", 621)).toMatchObject({ name: "web-1", status: "running", tags: "fleet" });
    expect(await vm("/nodes/pve2/qemu", 621)).toBeUndefined();
    expect(await vm("/nodes/pve1/qemu", 620)).toMatchObject({ template: 1, status: "stopped" });
    expect(await everywhere(621)).toMatchObject({ status: "unknown", tags: "fleet" });
    expect(await everywhere(621)).not.toHaveProperty("name");
    await expect.poll(() => everywhere(621), { timeout: 5_000 }).toMatchObject({ name: "web-1", status: "running" });
    await probe.lab.control.timeScale(0.02);
  });

  test("the cluster's tasks are all that run and the last 25 that ended", { timeout: testMs }, async () => {
    await probe.lab.control.addVm({ vmid: 635, config: {} });
    for (let n = 0; n < 30; n++) await probe.run("POST", "/nodes/pve1/qemu/635/status/stop");
    await probe.lab.control.timeScale(1);
    const { data } = await probe.session.send("fleet-token", "POST", "/nodes/pve1/qemu/635/status/start", {});
    const tasks = await probe.get<{ upid: string; node: string; status?: string }[]>("/cluster/tasks");
    expect(tasks.filter(({ status }) => status === undefined).map(({ upid }) => upid)).toEqual([data]);
    expect(tasks.filter(({ node, status }) => node === "pve1" && status !== undefined)).toHaveLength(25);
    expect(await probe.get("/nodes/pve1/tasks", { source: "active" })).toMatchObject([{ upid: data }]);
    await probe.lab.control.timeScale(0.02);
  });

  test("a node's memory is what it was given, less what its running guests take", { timeout: testMs }, async () => {
    interface NodeUse {
      readonly node: string;
      readonly mem: number;
      readonly maxmem: number;
      readonly maxcpu: number;
    }
    const usage = async (): Promise<NodeUse | undefined> =>
      (await probe.get<NodeUse[]>("/cluster/resources?type=node")).find(({ node }) => node === "pve3");
    await probe.lab.control.node("pve3", { memoryMiB: 16_384, cpus: 4 });
    const before = await usage();
    expect(before).toMatchObject({ maxmem: 16 * 1024 ** 3, maxcpu: 4 });
    await probe.lab.control.addVm({ vmid: 630, node: "pve3", config: { memory: "2048" }, status: "running" });
    await expect.poll(async () => (await usage())?.mem, { timeout: 5_000 }).toBe((before?.mem ?? 0) + 2 * 1024 ** 3);
  });
});

describe("migration", () => {
  const migrate = (vmid: number, params: Record<string, string | number> = {}) =>
    probe.run("POST", `/nodes/pve1/qemu/${vmid}/migrate`, { target: "pve2", ...params }, "root-token");
  const refusal = (vmid: number, params: Record<string, string | number>) =>
    probe.refusal("POST", `/nodes/pve1/qemu/${vmid}/migrate`, params, "root-token");

  test("moves a stopped VM with its local disks; its config is on the other node", { timeout: testMs }, async () => {
    await probe.lab.control.addVm({
      vmid: 640,
      config: { scsi0: "local-lvm:vm-640-disk-0,size=1G", ide2: "local-lvm:vm-640-cloudinit,media=cdrom" },
    });
    const moved = await migrate(640);
    expect(moved).toMatchObject({ type: "qmigrate", exitstatus: "OK" });
    const { vms, volumes } = await probe.lab.control.state();
    expect(vms["640"]).toMatchObject({ node: "pve2", config: { scsi0: "local-lvm:vm-640-disk-0,size=1G" } });
    expect(vms["640"]?.config).not.toHaveProperty("lock");
    expect(Object.keys(volumes["pve2/local-lvm"] ?? {})).toEqual(["vm-640-cloudinit", "vm-640-disk-0"]);
    expect(Object.keys(volumes["pve1/local-lvm"] ?? {}).filter((name) => name.includes("640"))).toEqual([]);
    expect(await probe.refusal("GET", "/nodes/pve1/qemu/640/config")).toBe(
      "500 Configuration file 'nodes/pve1/qemu-server/640.conf' does not exist",
    );
  });

  test("moves a running VM online, with local disks only if asked to", { timeout: testMs }, async () => {
    const config = { scsi0: "local-lvm:vm-641-disk-0,size=1G", memory: "512" };
    await probe.lab.control.addVm({ vmid: 641, config, status: "running" });
    expect(await refusal(641, { target: "pve2" })).toBe("500 can't migrate running VM without --online");
    const refused = await migrate(641, { online: 1 });
    expect(refused.exitstatus).toBe("migration aborted");
    expect(refused.log.join("\n")).toContain(
      "can't migrate local disk 'local-lvm:vm-641-disk-0': can't live migrate attached local disks without with-local-disks option",
    );
    expect((await probe.lab.control.vms())["641"]).toMatchObject({ node: "pve1", config });
    expect((await migrate(641, { online: 1, "with-local-disks": 1 })).exitstatus).toBe("OK");
    expect((await probe.lab.control.vms())["641"]).toMatchObject({ node: "pve2", status: "running", config });
  });

  test("is refused for a linked clone on a local directory, and for devices of the node", {
    timeout: testMs,
  }, async () => {
    await probe.lab.control.storage("data", { create: { type: "dir", path: "/var/lib/data", content: "images" } });
    await probe.template(650, { disk: "data:650/base-650-disk-0.qcow2" });
    expect((await probe.run("POST", "/nodes/pve1/qemu/650/clone", { newid: 651 })).exitstatus).toBe("OK");
    const clone = await migrate(651);
    expect(clone.exitstatus).toBe("migration aborted");
    expect(clone.log.join("\n")).toContain(
      "can't migrate 'data:650/base-650-disk-0.qcow2/651/vm-651-disk-0.qcow2' as it's a clone of 'base-650-disk-0.qcow2'",
    );
    expect((await migrate(650)).log.join("\n")).toContain("referenced by linked clone(s)");
    await probe.lab.control.addVm({ vmid: 652, config: { hostpci0: "mapping=rtx4090" } });
    expect((await migrate(652)).log.join("\n")).toContain("can't migrate to 'pve2': missing mapped devices hostpci0");
    await probe.lab.control.addVm({ vmid: 653, config: { hostpci0: "0000:01:00.0" } });
    expect((await migrate(653)).log.join("\n")).toContain("can't migrate VM which uses local devices: hostpci0");
    for (const vmid of ["650", "651", "652", "653"]) {
      expect((await probe.lab.control.vms())[vmid]).toMatchObject({ node: "pve1" });
    }
  });

  test("goes to another node that is there, and is reachable", { timeout: testMs }, async () => {
    await probe.lab.control.addVm({ vmid: 654 });
    expect(await refusal(654, { target: "pve1" })).toMatch(/^400/);
    expect(await refusal(654, { target: "pve9" })).toBe("500 no such cluster node 'pve9'");
    await probe.lab.control.nodeOnline("pve2", false);
    const task = await migrate(654);
    await probe.lab.control.nodeOnline("pve2", true);
    expect(task.log.join("\n")).toContain("Can't connect to destination address using public key");
    expect((await probe.lab.control.vms())["654"]?.node).toBe("pve1");
  });
});
