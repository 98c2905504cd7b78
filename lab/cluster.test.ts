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
        else sftp.writeFile(file, text, (problem) => (problem ? reject(problem) : resolve()));
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
