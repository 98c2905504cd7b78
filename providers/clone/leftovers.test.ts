import { describe, expect, it } from "vitest";
import type { Params, PveClient } from "../../proxmox/client.ts";
import { ApiError } from "../../proxmox/errors.ts";
import { atRest } from "./unfinished.ts";

interface Task {
  user?: string;
  tokenid?: string;
  /** Looks at the task list after which it has ended; without it, it has ended long ago. */
  runs?: number;
  /** Looks after which it begins. */
  from?: number;
  status?: string;
  log: string[];
}

const OURS = { user: "fleet@pve", tokenid: "golden" };
const TARGET = { vmId: 9101, node: "pve1", places: [{ node: "pve1", sourceVmId: 9000 }] };
const LOCKED = { lock: "clone", description: " qmclone temporary file" };
const creates = (vmId: number) => [`creating a clone of VM 9000 with ID ${vmId}`, "create linked clone of drive scsi0"];

/** A PVE with one VM, as it is at each look (the last one for ever), and clone tasks. */
function pve(
  vm: (object | undefined)[],
  tasks: Task[] = [],
  login: object = { kind: "token", id: "fleet@pve!golden" },
) {
  const done: string[] = [];
  let looks = 0;
  let lists = 0;
  const get = async (apiPath: string) => {
    if (apiPath.endsWith("/config")) {
      const config = vm[Math.min(looks++, vm.length - 1)];
      if (config) return config;
      throw new ApiError("GET", 500, "Configuration file 'nodes/pve1/qemu-server/9101.conf' does not exist");
    }
    if (apiPath === "/cluster/resources") return [];
    const log = /tasks\/UPID%3Apve1%3A(\d+)/.exec(apiPath)?.[1];
    if (log && apiPath.endsWith("/log")) return (tasks[Number(log)]?.log ?? []).map((t, n) => ({ n: n + 1, t }));
    if (log) return { status: "stopped", exitstatus: "OK" };
    lists++;
    return tasks.flatMap(({ user = "fleet@pve", tokenid, runs = 0, from = 0, status = "unexpected status" }, index) => {
      if (lists <= from) return [];
      const ended = lists > from + runs;
      const upid = `UPID:pve1:${index}:qmclone:9000:${user}:`;
      return [{ upid, user, ...(tokenid && { tokenid }), ...(ended && { endtime: 1, status }) }];
    });
  };
  const put = async (_path: string, params: Params) => {
    done.push(`put ${JSON.stringify(params)}`);
    return null;
  };
  const remove = async (_path: string, params: Params) => {
    done.push(`delete ${JSON.stringify(params)}`);
    return "UPID:pve1:0:qmdestroy:9101:";
  };
  const client = { get, getOnce: get, put, delete: remove, connection: { login } } as unknown as PveClient;
  const said: string[] = [];
  return { said, done, rest: () => atRest(client, TARGET, (text) => said.push(text), 1) };
}

describe("a VM on a clone's VMID", () => {
  it("that no clone task writes to is there as it is, or not at all", async () => {
    expect(await pve([{ name: "web-1" }]).rest()).toEqual({ node: "pve1", config: { name: "web-1" } });
    expect(await pve([{ name: "web-1", lock: "backup" }]).rest()).toMatchObject({ config: { lock: "backup" } });
    expect(await pve([undefined]).rest()).toBeUndefined();
  });

  it("that a task of ours is making is waited for", async () => {
    const made = { name: "web-1" };
    const { rest, said } = pve(
      [LOCKED, LOCKED, LOCKED, made],
      [{ ...OURS, runs: 3, status: "OK", log: creates(9101) }],
    );
    expect(await rest()).toEqual({ node: "pve1", config: made });
    expect(said[0]).toBe("VM 9101 is being cloned by an earlier task: waiting for it");
  });

  it("that was made between two looks is no trouble", async () => {
    expect(await pve([LOCKED, LOCKED, { name: "web-1" }]).rest()).toMatchObject({ config: { name: "web-1" } });
  });

  it("is waited for while the log of a task does not yet say which VM it makes", async () => {
    const { rest } = pve([LOCKED, LOCKED, LOCKED, { name: "web-1" }], [{ ...OURS, runs: 3, status: "OK", log: [] }]);
    expect(await rest()).toMatchObject({ config: { name: "web-1" } });
  });

  it("is not waited for because tasks make other VMs, or begin later", async () => {
    const others = { ...OURS, runs: 1000, log: creates(9102) };
    const later = { ...OURS, from: 1, runs: 1000, log: [] };
    const dead = { ...OURS, log: creates(9101) };
    await expect(pve([LOCKED], [others, later, dead]).rest()).rejects.toThrow("is what a clone task of ours that died");
  });
});

describe("what a dead clone task has left", () => {
  const commands = "on pve1 run: qm unlock 9101 && qm destroy 9101 --purge --destroy-unreferenced-disks 1";

  it.each([
    ["PVE 9 says so in its log", creates(9101)],
    [
      "the new disks in its log say so",
      ["create linked clone of drive scsi0", 'Logical volume "vm-9101-disk-0" created.'],
    ],
  ])("is known to be ours: %s; a token gets the commands for root", async (_how, log) => {
    const { rest, done } = pve([LOCKED], [{ ...OURS, log }]);
    await expect(rest()).rejects.toThrow(`Only root can remove it; ${commands}`);
    expect(done).toEqual([]);
  });

  it.each([
    ["no task at all", []],
    ["a task of another login", [{ user: "ann@pve", log: creates(9101) }]],
    ["a task of another token", [{ user: "fleet@pve", tokenid: "other", log: creates(9101) }]],
    ["a task of ours that made another VM", [{ ...OURS, log: creates(9102) }]],
    ["a task of ours that ended well", [{ ...OURS, status: "OK", log: creates(9101) }]],
    ["a task of ours that says nothing", [{ ...OURS, log: [] }]],
  ])("is left alone when nothing shows that it was ours: %s", async (_what, tasks) => {
    const root = { kind: "password", username: "root@pam" };
    for (const login of [undefined, root]) {
      const { rest, done } = pve([LOCKED], tasks, login);
      await expect(rest()).rejects.toThrow("no task shows that it was this stack's; it is left alone");
      expect(done).toEqual([]);
    }
  });

  it("is removed by root's own login, lock, VM and stray disks", async () => {
    const tasks = [{ user: "root@pam", log: creates(9101) }];
    const { rest, done, said } = pve([LOCKED], tasks, { kind: "password", username: "root@pam" });
    expect(await rest()).toBeUndefined();
    expect(done).toEqual([
      'put {"delete":"lock","skiplock":true}',
      'delete {"purge":true,"destroy-unreferenced-disks":true}',
    ]);
    expect(said).toContain("removing what a clone task that died has left of VM 9101");
  });

  it("is not removed by another login with a password: PVE would refuse it", async () => {
    const tasks = [{ user: "ann@pve", log: creates(9101) }];
    const { rest, done } = pve([LOCKED], tasks, { kind: "password", username: "ann@pve" });
    await expect(rest()).rejects.toThrow("Only root can remove it");
    expect(done).toEqual([]);
  });
});
