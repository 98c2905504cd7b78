import { describe, expect, it } from "vitest";
import { ApiError } from "../../proxmox/errors.ts";
import { fakeClient, inTurn } from "../../proxmox/fakeClient.ts";
import type { GuestConfig } from "../../proxmox/guests.ts";
import type { Login } from "../../proxmox/login.ts";
import { fakeClone } from "./fakeClone.ts";
import { atRest, targetOf } from "./leftovers.ts";

interface Task {
  user?: string;
  tokenid?: string;
  /** What a clone task clones; of other tasks the VM that they are about. */
  id?: string;
  type?: string;
  /** How often the task is listed before it has ended; without it, it has ended long ago. */
  runs?: number;
  /** How often the tasks are listed before it begins. */
  from?: number;
  starttime?: number;
  status?: string;
  log?: string[];
}

const OURS = { user: "fleet@pve", tokenid: "golden" };
const ROOT: Login = { kind: "password", username: "root@pam", password: "x" };
const ROOTS = { user: "root@pam" };
const LOCKED = { lock: "clone", digest: "d1" };
const creates = (vmId: number) => [`creating a clone of VM 9000 with ID ${vmId}`, "create linked clone of drive scsi0"];

/**
 * A PVE with one VM, as it is at each look (the last one for ever), and tasks, the newest first. It lists tasks as PVE does,
 * and answers for pve1 alone.
 */
function pve(
  vm: (GuestConfig | undefined)[],
  tasks: Task[] = [],
  { login, begun = [] as number[] }: { login?: Login; begun?: number[] } = {},
) {
  const changed: string[] = [];
  const config = inTurn(...vm);
  let lists = 0;
  const upidOf = (index: number) => `UPID:pve1:${index}:2:3:${tasks[index]?.type ?? "qmclone"}:9000:x:`;
  const { client, asked } = fakeClient(
    (call, params) => {
      if (!call.startsWith("GET")) {
        changed.push(`${call} ${JSON.stringify(params)}`);
        return call.startsWith("DELETE") ? "UPID:pve1:99:2:3:qmdestroy:9101:x:" : null;
      }
      if (call.endsWith("/config")) {
        const text = "Configuration file 'nodes/pve1/qemu-server/9101.conf' does not exist";
        return config() ?? new ApiError("GET", 500, text);
      }
      if (call === "GET /cluster/resources") return [];
      const index = Number(/UPID:pve1:(\d+)/.exec(call)?.[1]);
      if (call.endsWith("/log")) return (tasks[index]?.log ?? []).map((t, n) => ({ n: n + 1, t }));
      if (call.endsWith("/status")) return { status: "stopped", exitstatus: "OK" };
      const { typefilter, vmid, since = 0 } = params;
      if (typefilter === "qmclone") lists++;
      return tasks.flatMap((task, at) => {
        const { user = "fleet@pve", tokenid, id = "9000", type = "qmclone", runs = 0, from = 0 } = task;
        const { starttime = 100 - at, status = "unexpected status" } = task;
        const isListed = (typefilter ?? type) === type && (vmid === undefined || String(vmid) === id);
        if (!isListed || starttime < Number(since) || lists <= from) return [];
        const ended = lists > from + runs;
        return [
          {
            upid: upidOf(at),
            type,
            id,
            user,
            starttime,
            ...(tokenid && { tokenid }),
            ...(ended && { endtime: 1, status }),
          },
        ];
      });
    },
    login ? { login } : {},
  );
  const said: string[] = [];
  const target = targetOf(fakeClone());
  const ownTasks = new Set(begun.map(upidOf));
  const logs = () => asked.filter((call) => call.includes("/log")).length;
  return { said, changed, logs, rest: () => atRest(client, target, "pve1", (text) => said.push(text), ownTasks) };
}

const KILLED = { ...ROOTS, log: creates(9101) };
const removes = [
  'PUT /nodes/pve1/qemu/9101/config {"delete":"lock","skiplock":true,"digest":"d1"}',
  'DELETE /nodes/pve1/qemu/9101 {"purge":true,"destroy-unreferenced-disks":true}',
];
const notOurs = "of which nothing shows that it was this stack's; it is left alone";

describe("a VM on a clone's VMID", () => {
  it("that no clone task writes to is there as it is, or not at all", async () => {
    expect(await pve([{ name: "web-1" }]).rest()).toMatchObject({ node: "pve1", config: { name: "web-1" } });
    expect(await pve([{ name: "web-1", lock: "backup" }]).rest()).toMatchObject({ busy: "backup" });
    expect(await pve([undefined]).rest()).toBeUndefined();
  });

  it("that a task of ours is making is waited for", async () => {
    const made = { name: "web-1" };
    const { rest, said } = pve(
      [LOCKED, LOCKED, LOCKED, made],
      [{ ...OURS, runs: 3, status: "OK", log: creates(9101) }],
    );
    expect(await rest()).toMatchObject({ node: "pve1", config: made });
    expect(said[0]).toBe("VM 9101 is being cloned by an earlier task: waiting for it");
  });

  it("that was made between two looks is no trouble", async () => {
    expect(await pve([LOCKED, LOCKED, { name: "web-1" }]).rest()).toMatchObject({ config: { name: "web-1" } });
  });

  it("is waited for while the log of a task of ours does not yet say which VM it makes", async () => {
    const { rest } = pve([LOCKED, LOCKED, LOCKED, { name: "web-1" }], [{ ...OURS, runs: 3, status: "OK", log: [] }]);
    expect(await rest()).toMatchObject({ config: { name: "web-1" } });
  });

  it("is not waited for because tasks make other VMs", async () => {
    const other = { ...OURS, runs: 1000, log: creates(9102) };
    await expect(pve([LOCKED], [other, { ...OURS, log: creates(9101) }]).rest()).rejects.toThrow(
      "is what a clone task of ours that was killed",
    );
  });

  it("may be on a node that does not answer: nobody knows what it is", async () => {
    const { client } = fakeClient((call) =>
      call.startsWith("GET /cluster")
        ? [{ vmid: 9101, node: "pve1", type: "qemu" }]
        : new ApiError("GET", 595, "No route to host"),
    );
    await expect(atRest(client, targetOf(fakeClone()), "pve1", () => undefined)).rejects.toThrow(
      "node pve1 does not answer, so VM 9101 on it is left as it is",
    );
  });

  it("may be a container", async () => {
    const { client } = fakeClient((call) =>
      call.startsWith("GET /cluster")
        ? [{ vmid: 9101, node: "pve1", type: "lxc", name: "mail" }]
        : new ApiError("GET", 500, "Configuration file 'nodes/pve1/qemu-server/9101.conf' does not exist"),
    );
    const found = await atRest(client, targetOf(fakeClone()), "pve1", () => undefined);
    expect(found).toEqual({ kind: "container", node: "pve1", name: "mail" });
  });
});

describe("what a killed clone task has left", () => {
  const commands = "on pve1 run: qm unlock 9101 && qm destroy 9101 --purge --destroy-unreferenced-disks 1";

  it.each([
    ["PVE 9 says so in its log", creates(9101)],
    [
      "the new disks in its log say so",
      ["create linked clone of drive scsi0", 'Logical volume "vm-9101-disk-0" created.'],
    ],
  ])("is known to be ours: %s; a token gets the commands for root", async (_how, log) => {
    const { rest, changed } = pve([LOCKED], [{ ...OURS, log }]);
    await expect(rest()).rejects.toThrow(`Only root can remove it; ${commands}`);
    expect(changed).toEqual([]);
  });

  it("is removed by root's own login, lock, VM and stray disks, if it still is what was looked at", async () => {
    const { rest, changed, said } = pve([LOCKED], [KILLED], { login: ROOT });
    expect(await rest()).toBeUndefined();
    expect(changed).toEqual(removes);
    expect(said).toContain("removing what a killed clone task has left of VM 9101");
  });

  it("is not removed by another login with a password: PVE would refuse it", async () => {
    const login: Login = { kind: "password", username: "ann@pve", password: "x" };
    const { rest, changed } = pve([LOCKED], [{ user: "ann@pve", log: creates(9101) }], { login });
    await expect(rest()).rejects.toThrow("Only root can remove it");
    expect(changed).toEqual([]);
  });

  it("is known though other VMs were cloned since, and clones to its VMID were refused", async () => {
    const since = [
      { ...OURS, status: "OK", log: creates(9102) },
      // PVE found the VMID taken before it said anything.
      { ...ROOTS, status: "unable to create VM 9101: config file already exists", log: [] },
    ];
    const { rest, changed } = pve([LOCKED], [...since, KILLED], { login: ROOT });
    expect(await rest()).toBeUndefined();
    expect(changed).toEqual(removes);
  });
});

describe("a half-made VM is left alone", () => {
  it.each<[string, Task[]]>([
    ["there is no task at all", []],
    ["a task of another login was killed", [{ user: "ann@pve", log: creates(9101) }]],
    ["a task of another token was killed", [{ user: "fleet@pve", tokenid: "other", log: creates(9101) }]],
    ["a task of ours was killed that made another VM", [{ ...OURS, log: creates(9102) }]],
    ["a task of ours has ended well", [{ ...OURS, status: "OK", log: creates(9101) }]],
    [
      "a task of ours has failed in order, after which PVE cleans up",
      [{ ...OURS, status: "clone failed: can't lock file - got timeout", log: creates(9101) }],
    ],
    ["a task of ours was killed that says nothing", [{ ...OURS, log: [] }]],
    ["a task of ours was killed that cloned another VM", [{ ...OURS, id: "500", log: creates(9101) }]],
  ])("when nothing shows that it is ours: %s", async (_what, tasks) => {
    for (const login of [undefined, ROOT]) {
      const mine = login
        ? tasks.map((task) => (task.tokenid === "golden" ? { ...task, ...ROOTS, tokenid: "" } : task))
        : tasks;
      const { rest, changed } = pve([LOCKED], mine, login ? { login } : {});
      await expect(rest()).rejects.toThrow(notOurs);
      expect(changed).toEqual([]);
    }
  });

  it.each<[string, Task]>([
    ["somebody clones to the VMID now", { user: "ann@pve", runs: 1000, log: creates(9101) }],
    ["somebody clones another VM to it now", { user: "ann@pve", id: "500", runs: 1000, log: creates(9101) }],
    ["somebody clones now, and does not say yet to which VMID", { user: "ann@pve", id: "500", runs: 1000, log: [] }],
    ["somebody's clone to it was killed", { user: "ann@pve", id: "500", log: creates(9101) }],
    ["somebody's clone was killed that does not say to which VMID", { user: "ann@pve", id: "500", log: [] }],
    [
      "we cloned to it again, and PVE has cleaned up",
      { ...ROOTS, status: "clone failed: no space", log: creates(9101) },
    ],
    ["it was destroyed", { ...ROOTS, type: "qmdestroy", id: "9101", status: "OK" }],
    ["something else was done on it", { ...ROOTS, type: "qmrestore", id: "9101", status: "OK" }],
  ])("when it is not what our killed task has left: since then %s", async (_what, later) => {
    const { rest, changed } = pve([LOCKED], [later, KILLED], { login: ROOT });
    await expect(rest()).rejects.toThrow(notOurs);
    expect(changed).toEqual([]);
  });

  it("when this run has found the VMID free since our task was killed", async () => {
    const mine = { ...ROOTS, status: "can't lock file '/var/lock/qemu-server/lock-9000.conf' - got timeout", log: [] };
    const { rest, changed } = pve([LOCKED], [mine, KILLED], { login: ROOT, begun: [0] });
    await expect(rest()).rejects.toThrow(notOurs);
    expect(changed).toEqual([]);
  });

  it("when somebody begins to clone to it while we look whose it is", async () => {
    // The lists of tasks are those of: who makes it, who has left it, and who has left it right before it is removed.
    const stranger = { user: "ann@pve", id: "500", from: 2, runs: 1000, log: creates(9101) };
    const { rest, changed } = pve([LOCKED], [stranger, KILLED], { login: ROOT });
    await expect(rest()).rejects.toThrow(notOurs);
    expect(changed).toEqual([]);
  });

  it("when it has become a whole VM, or is gone, by the last look", async () => {
    for (const [last, found] of [
      [{ name: "web-1" }, { config: { name: "web-1" } }],
      [undefined, undefined],
    ] as const) {
      const { rest, changed } = pve([LOCKED, LOCKED, last], [KILLED], { login: ROOT });
      if (found) expect(await rest()).toMatchObject(found);
      else expect(await rest()).toBeUndefined();
      expect(changed).toEqual([]);
    }
  });

  it("without reading the logs of tasks that cannot have left it", async () => {
    const hundreds = Array.from({ length: 300 }, (_none, at) => ({ ...OURS, status: "OK", log: creates(9200 + at) }));
    const { rest, logs } = pve([LOCKED], hundreds);
    await expect(rest()).rejects.toThrow(notOurs);
    expect(logs()).toBe(0);
  });
});
