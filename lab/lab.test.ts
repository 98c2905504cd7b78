import { createHash } from "node:crypto";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { gzipSync } from "node:zlib";
import { Client } from "ssh2";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { type EndedTask, Session } from "./conformance/replay.ts";
import { connectLab, fixedPorts, type Lab, LabError, resetLab, startLab, stopLab } from "./lab.ts";

type Params = Record<string, string | number>;

const setupMs = 240_000;
const testMs = 60_000;
const soon = { timeout: 5_000 };
const node = "/nodes/pve1";
let folder: string;
let lab: Lab;
let session: Session;

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "lab-test-"));
  lab = await startLab({ dir: path.join(folder, "main"), timeScale: 0.02, log: (line) => console.log(line) });
  session = await Session.open(lab);
}, setupMs);

afterAll(async () => {
  await session?.close();
  await lab?.stop();
  await rm(folder, { recursive: true, force: true });
});

afterEach(async () => {
  await lab.control.clearFaults();
  await lab.control.timeScale(0.02);
});

async function call(method: string, target: string, params: Params = {}, as = "fleet-token"): Promise<EndedTask> {
  const answer = await session.send(as, method, target, params);
  if (answer.status !== 200) throw new Error(`${answer.status} ${answer.reason}`);
  return session.ended(String(answer.data));
}

async function refusal(method: string, target: string, params: Params = {}, as = "fleet-token"): Promise<string> {
  const answer = await session.send(as, method, target, params);
  return answer.status === 200 ? "" : `${answer.status} ${answer.reason}`;
}

const download = (filename: string, more: Params = {}): Promise<EndedTask> =>
  call("POST", `${node}/storage/local/download-url`, { content: "import", filename, url: lab.image.url, ...more });

async function template(vmid: number): Promise<void> {
  await lab.control.addVm({
    vmid,
    template: true,
    config: { name: `t${vmid}`, memory: "512", boot: "order=scsi0", scsi0: `local-lvm:base-${vmid}-disk-0,size=2G` },
  });
}

const clone = (source: number, newid: number): Promise<EndedTask> =>
  call("POST", `${node}/qemu/${source}/clone`, { newid });

describe("the process", () => {
  test("a second lab in the same folder is refused, another folder is fine", { timeout: testMs }, async () => {
    await expect(startLab({ dir: lab.dir })).rejects.toThrow(/running in .* already/);
    const other = await startLab({ dir: path.join(folder, "other") });
    expect(other.endpoint).not.toBe(lab.endpoint);
    await other.stop();
    expect(await connectLab(other.dir)).toBeUndefined();
  });

  test("a fixed port that is taken is named", { timeout: testMs }, async () => {
    const blocker = createServer();
    const taken = await new Promise<boolean>((resolve) => {
      blocker.once("error", () => resolve(false));
      blocker.listen(fixedPorts.ssh, "127.0.0.1", () => resolve(true));
    });
    try {
      const started = startLab({ dir: path.join(folder, "busy"), ports: "fixed" });
      await expect(started).rejects.toThrow(taken ? /Port (18022|18006) .* is in use/ : /Port \d+ .* is in use/);
    } finally {
      blocker.close();
    }
  });

  test("a note of a dead lab is no reason to kill whoever has its number now", { timeout: testMs }, async () => {
    const dir = path.join(folder, "stale");
    await mkdir(dir);
    const ports = { api: 1, ssh: 1, images: 1, control: 1 };
    await writeFile(path.join(dir, "lab.json"), JSON.stringify({ pid: process.pid, instance: "gone", ports }));
    expect(await stopLab(dir)).toBe(false);
    expect(await connectLab(dir)).toBeUndefined();
  });

  test("reset removes a lab's folder and no other", { timeout: testMs }, async () => {
    const dir = path.join(folder, "not-a-lab");
    await mkdir(dir);
    await writeFile(path.join(dir, "thesis.txt"), "years of work");
    await expect(resetLab(dir)).rejects.toThrow(LabError);
    expect(await readFile(path.join(dir, "thesis.txt"), "utf8")).toBe("years of work");
  });

  test("state, keys and CA outlive a killed lab; its workers are found dead", { timeout: testMs }, async () => {
    const dir = path.join(folder, "killed");
    const first = await startLab({ dir, timeScale: 5 });
    const before = await Session.open(first);
    const keys = await readFile(first.ssh.hostKeyFile, "utf8");
    await first.control.addVm({ vmid: 500, template: true, config: { scsi0: "local-lvm:base-500-disk-0,size=1G" } });
    const answer = await before.send("fleet-token", "POST", `${node}/qemu/500/clone`, { newid: 501 });
    await expect
      .poll(async () => (await readFile(path.join(dir, "state.json"), "utf8")).includes('"lock"'), soon)
      .toBe(true);
    process.kill(first.pid, "SIGKILL");
    await before.close();
    await expect.poll(() => connectLab(dir), soon).toBeUndefined();

    const second = await startLab({ dir });
    const after = await Session.open(second);
    const { vms } = await second.control.state();
    expect(vms["501"]?.config).toEqual({ lock: "clone", description: " qmclone temporary file" });
    expect((await after.ended(String(answer.data))).exitstatus).toBe("unexpected status");
    expect(await readFile(second.ssh.hostKeyFile, "utf8")).toBe(keys);
    await after.close();
    await second.stop();
  });
});

describe("downloads", () => {
  afterEach(async () => {
    for (const name of ["a.qcow2", "b.qcow2"]) await lab.control.removeFile("local", "import", name);
  });

  test("every algorithm of PVE is checked on the bytes that came", { timeout: testMs }, async () => {
    const bytes = Buffer.from(await (await fetch(lab.image.url)).arrayBuffer());
    for (const algorithm of ["md5", "sha1", "sha224", "sha256", "sha384", "sha512"]) {
      const checksum = createHash(algorithm).update(bytes).digest("hex");
      const fine = await download("a.qcow2", { checksum, "checksum-algorithm": algorithm });
      expect(fine.exitstatus).toBe("OK");
      await lab.control.removeFile("local", "import", "a.qcow2");
    }
  });

  test.each([
    ["a dropped connection", { drops: 1 }, /exit code 4/],
    ["a missing file", { errors: 1, status: 404 }, /exit code 8/],
    ["a server in trouble", { errors: 1, status: 503 }, /exit code 8/],
    ["a corrupt byte", { corrupt: 1 }, /checksum mismatch/],
  ])("%s fails the task and leaves nothing behind", { timeout: testMs }, async (_, knobs, text) => {
    await lab.control.images(knobs);
    const checksum = lab.image.checksum.replace("sha256:", "");
    const task = await download("a.qcow2", { checksum, "checksum-algorithm": "sha256" });
    expect(task.exitstatus).toMatch(text);
    const { files, leftovers } = await lab.control.state();
    expect(Object.keys(files)).not.toContain("pve1/local:import/a.qcow2");
    expect(leftovers).toEqual([]);
    const again = await download("a.qcow2", { checksum, "checksum-algorithm": "sha256" });
    expect(again.exitstatus).toBe("OK");
  });

  test("progress is in the task's log while it loads", { timeout: testMs }, async () => {
    await lab.control.images({ bytesPerSecond: 400_000 });
    const task = await download("a.qcow2");
    expect(task.log.filter((line) => /^\s*\d+K .*\d+% /.test(line)).length).toBeGreaterThan(1);
  });

  test("a full datastore stops a download", { timeout: testMs }, async () => {
    const before = (await session.send("fleet-token", "GET", `${node}/storage/local/status`, {})).data;
    await lab.control.storage("local", { avail: 4096 });
    expect((await download("a.qcow2")).exitstatus).toBe("download failed: exit code 3");
    await lab.control.storage("local", { avail: Number((before as { avail: number }).avail) });
  });

  test("compressed ISO images are unpacked", { timeout: testMs }, async () => {
    await lab.control.addImage("small.iso.gz", { base64: gzipSync(Buffer.alloc(4096, 7)).toString("base64") });
    const task = await call("POST", `${node}/storage/local/download-url`, {
      ...{ content: "iso", filename: "small.iso", compression: "gz" },
      url: `${lab.imagesUrl}/small.iso.gz`,
    });
    expect(task.exitstatus).toBe("OK");
    expect((await lab.control.state()).files["pve1/local:iso/small.iso"]?.size).toBe(4096);
    await lab.control.removeFile("local", "iso", "small.iso");
  });

  test("PVE before 8.4 knows no content type import", { timeout: testMs }, async () => {
    await lab.control.version("8.2.4");
    expect(
      await refusal("POST", `${node}/storage/local/download-url`, {
        ...{ content: "import", filename: "a.qcow2", url: lab.image.url },
      }),
    ).toMatch(/^400/);
    await lab.control.version("9.2.11");
  });
});

describe("clones", () => {
  beforeAll(() => template(600));
  afterEach(async () => {
    const { vms } = await lab.control.state();
    for (const vmid of Object.keys(vms).filter((id) => Number(id) > 600 && Number(id) < 650))
      await lab.control.deleteVm(Number(vmid));
  });

  test("on a thin pool a linked clone is a volume of its own", { timeout: testMs }, async () => {
    expect((await clone(600, 601)).exitstatus).toBe("OK");
    const { vms } = await lab.control.state();
    expect(vms["601"]?.config.scsi0).toBe("local-lvm:vm-601-disk-0,size=2G");
  });

  test("whoever finds the datastore locked waits, and then fails as PVE does", { timeout: testMs }, async () => {
    await lab.control.holdStorageLock("local-lvm");
    expect((await clone(600, 601)).exitstatus).toBe(
      "clone failed: can't lock file '/var/lock/pve-manager/pve-storage-local-lvm' - got timeout",
    );
    expect((await lab.control.state()).vms["601"]).toBeUndefined();
    await lab.control.releaseStorageLock("local-lvm");
    expect((await clone(600, 601)).exitstatus).toBe("OK");
  });

  test("the lock of a datastore that is not shared is its node's", { timeout: testMs }, async () => {
    await lab.control.holdStorageLock("local-lvm", "pve2");
    expect((await clone(600, 601)).exitstatus).toBe("OK");
    await lab.control.releaseStorageLock("local-lvm");
    await lab.control.holdStorageLock("local-lvm", "pve1");
    expect((await clone(600, 602)).exitstatus).toContain("can't lock file");
    await lab.control.releaseStorageLock("local-lvm");
  });

  test("many at once: those of the first rounds get through, the others run into the lock", {
    timeout: testMs,
  }, async () => {
    await lab.control.timeScale(0.1);
    await lab.control.storageLocks({ wait: 1.5 });
    const tasks = await Promise.all(Array.from({ length: 10 }, (_, index) => clone(600, 601 + index)));
    const failed = tasks.filter(({ exitstatus }) => exitstatus !== "OK");
    expect(failed.length).toBeGreaterThan(0);
    expect(failed.length).toBeLessThan(10);
    for (const { exitstatus } of failed) expect(exitstatus).toMatch(/^clone failed: can't lock file .* got timeout$/);
  });

  test("a killed worker leaves its lock, which only root can get rid of", { timeout: testMs }, async () => {
    await lab.control.timeScale(1);
    const answer = await session.send("fleet-token", "POST", `${node}/qemu/600/clone`, { newid: 601 });
    expect(await lab.control.killTask({ type: "qmclone" })).toEqual([answer.data]);
    expect((await session.ended(String(answer.data))).exitstatus).toBe("unexpected status");
    await lab.control.timeScale(0.02);
    expect(await refusal("PUT", `${node}/qemu/601/config`, { delete: "lock" })).toBe(
      "500 only root can set 'lock' config",
    );
    expect(await refusal("DELETE", `${node}/qemu/601`, { skiplock: 1 })).toMatch(/^400/);
    expect((await call("DELETE", `${node}/qemu/601`)).exitstatus).toBe("VM is locked (clone)");
    expect((await call("DELETE", `${node}/qemu/601`, { skiplock: 1 }, "root-password")).exitstatus).toBe("OK");
  });

  test("an aborted worker cleans up after itself", { timeout: testMs }, async () => {
    await lab.control.timeScale(1);
    const answer = await session.send("fleet-token", "POST", `${node}/qemu/600/clone`, { newid: 601 });
    const upid = encodeURIComponent(String(answer.data));
    await session.send("fleet-token", "DELETE", `${node}/tasks/${upid}`, {});
    expect((await session.ended(String(answer.data))).exitstatus).toBe("clone failed: interrupted by signal");
    const { vms, volumes } = await lab.control.state();
    expect(vms["601"]).toBeUndefined();
    expect(Object.keys(volumes["pve1/local-lvm"] ?? {}).filter((name) => name.includes("-601-"))).toEqual([]);
  });

  test("a task can be made to fail, a named error to appear, a connection to break", { timeout: testMs }, async () => {
    await lab.control.failTask("qmclone", "clone failed: boom");
    expect((await clone(600, 601)).exitstatus).toBe("clone failed: boom");
    await lab.control.fail({ method: "POST", path: "/nodes/{node}/qemu/{vmid}/clone", status: 503, message: "busy" });
    expect(await refusal("POST", `${node}/qemu/600/clone`, { newid: 602 })).toBe("503 busy");
    await lab.control.fail({ method: "POST", path: "/qemu/600/clone", status: 596, message: "Broken pipe" });
    const proxy = await session.send("fleet-token", "POST", `${node}/qemu/600/clone`, { newid: 602 });
    expect(proxy).toEqual({ status: 596, reason: "Broken pipe", message: null, errors: null, data: null });
    await lab.control.fail({ method: "PUT", path: "/qemu/600/config", error: "no_quorum" });
    expect(await refusal("PUT", `${node}/qemu/600/config`, { cores: 1 })).toBe("500 cluster not ready - no quorum?");
    await lab.control.cut("POST", "/qemu/600/clone", "after");
    await expect(session.send("fleet-token", "POST", `${node}/qemu/600/clone`, { newid: 603 })).rejects.toThrow();
    await expect.poll(async () => (await lab.control.vms())["603"]?.name, soon).toBe("Copy-of-VM-t600");
  });
});

describe("trouble", () => {
  test("an offline node, a lost quorum, a held lock, a bad network", { timeout: testMs }, async () => {
    await lab.control.addVm({ vmid: 660, config: { name: "x" } });
    await lab.control.nodeOnline("pve2", false);
    expect(await refusal("GET", "/nodes/pve2/qemu")).toMatch(/^595/);
    const nodes = (await session.send("fleet-token", "GET", "/nodes", {})).data;
    expect(nodes).toMatchObject([{ status: "online" }, { status: "offline" }]);
    await lab.control.quorum(false);
    expect(await refusal("PUT", `${node}/qemu/660/config`, { cores: 1 })).toMatch(/no quorum/);
    await lab.control.quorum(true);
    await lab.control.holdLock(660);
    expect(await refusal("PUT", `${node}/qemu/660/config`, { cores: 1 })).toMatch(/can't lock file .* got timeout/);
    await lab.control.releaseLock(660);
    await lab.control.network({ dropRate: 1 });
    await expect(session.send("fleet-token", "GET", "/version", {})).rejects.toThrow();
    await lab.control.clearFaults();
    expect(await refusal("PUT", `${node}/qemu/660/config`, { cores: 1 })).toBe("");
    await lab.control.deleteVm(660);
  });

  test("a guest whose snippet installs the agent answers with its own address", { timeout: testMs }, async () => {
    await lab.control.putFile("local", "snippets", "agent.yaml", "#cloud-config\npackages: [qemu-guest-agent]\n");
    await lab.control.addVm({
      vmid: 661,
      config: {
        ...{
          agent: "enabled=1",
          scsi0: "local-lvm:vm-661-disk-0,size=1G",
          cicustom: "vendor=local:snippets/agent.yaml",
        },
        ...{ net0: "virtio=BC:24:11:00:06:61,bridge=vmbr0", ipconfig0: "ip=10.0.0.61/24,gw=10.0.0.1" },
      },
    });
    expect((await call("POST", `${node}/qemu/661/status/start`)).exitstatus).toBe("OK");
    const interfaces = async () =>
      JSON.stringify(
        (await session.send("fleet-token", "GET", `${node}/qemu/661/agent/network-get-interfaces`, {})).data,
      );
    await expect.poll(interfaces, soon).toContain('"ip-address":"10.0.0.61"');
    await lab.control.removeFile("local", "snippets", "agent.yaml");
    await lab.control.deleteVm(661);
  });
});

describe("rights", () => {
  test("the fleet's token may do what its role says, and no more", { timeout: testMs }, async () => {
    const held = (await session.send("fleet-token", "GET", "/access/permissions", {})).data as Record<string, object>;
    const role = JSON.parse(await readFile(path.join(import.meta.dirname, "fleet-role.json"), "utf8"));
    for (const [where, privileges] of Object.entries(role)) {
      expect(Object.keys(held[where] ?? {})).toEqual(privileges);
    }
    await lab.control.privileges("/storage", ["Datastore.Audit"]);
    expect(await refusal("POST", `${node}/storage/local/download-url`, { content: "import" })).toBe(
      "403 Permission check failed (/storage/local, Datastore.AllocateTemplate)",
    );
    await lab.control.privileges();
    expect(await refusal("PUT", `${node}/qemu/100/config`, { hostpci1: "0000:01:00.0" })).toMatch(/non-mapped/);
  });

  test("an expired token is refused with an empty answer", { timeout: testMs }, async () => {
    await lab.control.expireToken("fleet@pve!golden");
    const answer = await session.send("fleet-token", "GET", "/version", {});
    expect([answer.status, answer.reason, answer.message]).toEqual([401, "Authentication failed!", null]);
  });

  test("writes that nobody models are refused, not answered with a lie", { timeout: testMs }, async () => {
    expect(await refusal("POST", `${node}/vzdump`, { vmid: 100 }, "root-token")).toMatch(/^501/);
  });

  test("requests are logged without secrets", { timeout: testMs }, async () => {
    await lab.control.clearRequests();
    await lab.control.addVm({ vmid: 650 });
    await session.send("fleet-token", "PUT", `${node}/qemu/650/config`, { cipassword: "hunter2", ciuser: "u" });
    const { api } = await lab.control.requests();
    expect(api).toHaveLength(1);
    expect(api[0]).toMatchObject({
      ...{ method: "PUT", path: `${node}/qemu/650/config`, user: "fleet@pve!golden", status: 200 },
      params: { cipassword: "***", ciuser: "u" },
    });
    await lab.control.deleteVm(650);
  });
});

describe("SSH", () => {
  async function put(username: string, file: string): Promise<string> {
    const client = new Client();
    try {
      await new Promise<void>((resolve, reject) => {
        client.once("ready", resolve).once("error", reject);
        readFile(lab.ssh.privateKeyFile).then((privateKey) => {
          client.connect({ host: lab.ssh.address, port: lab.ssh.port, username, privateKey });
        }, reject);
      });
      return await new Promise<string>((resolve, reject) => {
        client.sftp((error, sftp) => {
          if (error) reject(error);
          else sftp.writeFile(file, "#cloud-config\n", (problem) => resolve(problem?.message ?? ""));
        });
      });
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    } finally {
      client.end();
    }
  }

  test("snippets go where PVE finds them; others get in nowhere", { timeout: testMs }, async () => {
    expect(await put("snippets", "/var/lib/vz/snippets/x.yaml")).toBe("");
    const { data } = await session.send("fleet-token", "GET", `${node}/storage/local/content`, { content: "snippets" });
    expect(data).toMatchObject([{ volid: "local:snippets/x.yaml", size: 14 }]);
    expect(await put("snippets", "/etc/passwd")).toMatch(/permission denied/i);
    expect(await put("nobody", "/var/lib/vz/snippets/y.yaml")).toMatch(/authentication/i);
    await lab.control.sftpDenied(true);
    expect(await put("root", "/var/lib/vz/snippets/z.yaml")).toMatch(/permission denied/i);
    await lab.control.removeFile("local", "snippets", "x.yaml");
  });
});

test("nothing above touched what belongs to others", async () => {
  const { vms, volumes } = await lab.control.state();
  expect(vms["100"]).toMatchObject({ name: "nas", status: "running", pending: {} });
  expect(vms["900"]?.config.template).toBe(1);
  expect(Object.keys(volumes["pve1/local-lvm"] ?? {})).toEqual(
    expect.arrayContaining(["vm-100-disk-0", "vm-100-disk-1", "base-900-disk-0", "vm-900-cloudinit"]),
  );
});
