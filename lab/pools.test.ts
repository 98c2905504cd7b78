import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import type { Params } from "./conformance/replay.ts";
import { openProbe, type Probe } from "./probe.ts";

const setupMs = 240_000;
const testMs = 60_000;
const everything = [
  ...["VM.Allocate", "VM.Audit", "VM.Clone", "VM.Config.CPU", "VM.Config.Disk", "VM.Config.Options", "VM.Migrate"],
  ...["VM.PowerMgmt", "Pool.Audit", "Datastore.AllocateSpace", "Datastore.Audit"],
];
let probe: Probe;

beforeAll(async () => {
  probe = await openProbe();
  await probe.template(600);
}, setupMs);

afterAll(() => probe?.close());

afterEach(async () => {
  const { control } = probe.lab;
  for (const vmid of Object.keys(await control.vms()).map(Number)) {
    if (vmid >= 700 && vmid < 800) await control.deleteVm(vmid);
  }
});

/** The fleet's user has these rights on one pool, and none elsewhere. */
async function poolAlone(pool: string, privileges: readonly string[] = everything): Promise<void> {
  await probe.lab.control.privileges();
  for (const path of [
    "/",
    "/nodes",
    "/vms",
    "/storage",
    "/sdn/zones/localnetwork",
    "/mapping/pci",
    "/mapping/usb",
    "/pool",
  ])
    await probe.lab.control.privileges(path, []);
  await probe.lab.control.privileges(`/pool/${pool}`, privileges);
}

const one = (vmid: number): string => `/nodes/pve1/qemu/${vmid}`;
const send = (method: string, path: string, params: Params = {}) => probe.refusal(method, path, params);
const vms = async (): Promise<number[]> =>
  (await probe.get<{ vmid: number }[]>("/cluster/resources?type=vm")).map(({ vmid }) => vmid);

describe.each(["web", "prod/web"])("a user with rights on the pool %s alone", (pool) => {
  beforeAll(async () => {
    await probe.lab.control.pool(pool, { vms: [600], storages: ["local-lvm"] });
    await poolAlone(pool);
  });

  test("clones into it and nowhere else, and owns what is in it", { timeout: testMs }, async () => {
    const clone = (params: Params) => send("POST", `${one(600)}/clone`, params);
    expect(await clone({ newid: 700 })).toBe("403 Permission check failed");
    expect(await clone({ newid: 700, pool: "elsewhere" })).toBe("403 Permission check failed");
    expect((await probe.run("POST", `${one(600)}/clone`, { newid: 700, pool })).exitstatus).toBe("OK");
    expect((await probe.lab.control.vms())["700"]?.pool).toBe(pool);
    expect(await vms()).toEqual([600, 700]);
    expect(await send("PUT", `${one(700)}/config`, { cores: 2, tags: "a" })).toBe("");
    expect(await send("PUT", `${one(700)}/config`, { memory: 1024 })).toBe(
      "403 Permission check failed (/vms/700, VM.Config.Memory)",
    );
    for (const action of ["start", "stop"])
      expect((await probe.run("POST", `${one(700)}/status/${action}`)).exitstatus).toBe("OK");
    expect((await probe.run("DELETE", one(700))).exitstatus).toBe("OK");
  });

  test("sees nothing of what is not", { timeout: testMs }, async () => {
    await probe.lab.control.addVm({ vmid: 701, config: { name: "other" } });
    expect(await vms()).toEqual([600]);
    expect(await send("GET", `${one(701)}/config`)).toBe("403 Permission check failed (/vms/701, VM.Audit)");
    expect(await send("DELETE", one(701))).toBe("403 Permission check failed (/vms/701, VM.Allocate)");
    expect(await probe.get("/pools")).toEqual([{ poolid: pool }]);
    const permissions = await probe.get<Record<string, Record<string, number>>>("/access/permissions");
    expect(Object.keys(permissions)).toEqual([`/pool/${pool}`, "/storage/local-lvm", "/vms/600"]);
    // What comes by a pool does not reach further down.
    expect(permissions["/vms/600"]).toMatchObject({ "VM.Clone": 0 });
    expect(await probe.get("/access/permissions", { path: "/vms/701" })).toEqual({});
  });

  test("without VM.Allocate on the pool clones nothing", { timeout: testMs }, async () => {
    await poolAlone(
      pool,
      everything.filter((name) => name !== "VM.Allocate"),
    );
    expect(await send("POST", `${one(600)}/clone`, { newid: 700, pool })).toBe("403 Permission check failed");
    await poolAlone(pool);
  });
});

describe("pools", () => {
  const as = "root-token";

  test("are nested three deep at most, in pools that exist", { timeout: testMs }, async () => {
    const create = (poolid: string) => probe.refusal("POST", "/pools", { poolid }, as);
    expect(await create("deep/er")).toBe("500 create pool failed: parent 'deep' of pool 'deep/er' does not exist");
    expect([await create("deep"), await create("deep/er"), await create("deep/er/est")]).toEqual(["", "", ""]);
    expect(await create("deep/er/est/of-all")).toMatch(/^400/);
    expect(await create("deep/2nd")).toBe("500 create pool failed: pool name must start with a letter");
    expect(await probe.refusal("DELETE", "/pools", { poolid: "deep" }, as)).toBe(
      "500 delete pool failed: pool 'deep' is not empty (contains pool 'deep/er')",
    );
    for (const path of ["/pools/deep/er", "/pools/deep%2Fer"])
      expect(await probe.refusal("GET", path, {}, as)).toMatch(/^501/);
    expect(await probe.refusal("GET", "/pools/deep", {}, as)).toBe("");
    expect((await probe.session.send(as, "GET", "/pools", { poolid: "deep/er" })).data).toMatchObject([
      { poolid: "deep/er", members: [] },
    ]);
  });

  test("a right on a pool reaches the pools in it; NoAccess counts for more than any other role", {
    timeout: testMs,
  }, async () => {
    await probe.lab.control.pool("prod/web", { vms: [600] });
    await poolAlone("prod", ["VM.Audit"]);
    expect(await vms()).toEqual([600]);
    const acl = (params: Params) => probe.refusal("PUT", "/access/acl", { users: "fleet@pve", ...params }, as);
    expect(await acl({ path: "/pool/prod/web", roles: "NoAccess" })).toBe("");
    expect(await vms()).toEqual([]);
    expect(await acl({ path: "/vms/600", roles: "PVEVMAdmin" })).toBe("");
    expect(await vms()).toEqual([]);
    await acl({ path: "/pool/prod/web", roles: "NoAccess", delete: 1 });
    expect(await vms()).toEqual([600]);
    await acl({ path: "/vms/600", roles: "PVEVMAdmin", delete: 1 });
    await acl({ path: "/vms/600", roles: "NoAccess" });
    expect(await vms()).toEqual([]);
    await acl({ path: "/vms/600", roles: "NoAccess", delete: 1 });
  });
});
