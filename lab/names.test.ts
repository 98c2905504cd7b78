import { afterAll, beforeAll, expect, test } from "vitest";
import { openProbe, type Probe } from "./probe.ts";

const setupMs = 240_000;
const testMs = 60_000;
let probe: Probe;

beforeAll(async () => {
  probe = await openProbe({ nodes: ["1st", "pve-2"] });
}, setupMs);

afterAll(() => probe?.close());

test("a node's name may begin with a digit", { timeout: testMs }, async () => {
  expect(await probe.get("/nodes")).toMatchObject([{ node: "1st" }, { node: "pve-2" }]);
  await probe.template(600, { node: "1st" });
  expect((await probe.run("POST", "/nodes/1st/qemu/600/clone", { newid: 601 })).exitstatus).toBe("OK");
});

test("a user's name may have an @ in it, and its tokens work", { timeout: testMs }, async () => {
  const create = (path: string, params = {}) => probe.session.send("root-token", "POST", path, params);
  const user = "jane@corp.com@pve";
  expect((await create("/access/users", { userid: user })).status).toBe(200);
  const { data } = await create(`/access/users/${encodeURIComponent(user)}/token/tok`, { privsep: 0 });
  expect(data).toMatchObject({ "full-tokenid": `${user}!tok` });
  const acl = { path: "/vms", roles: "PVEVMAdmin", users: user };
  expect((await probe.session.send("root-token", "PUT", "/access/acl", acl)).status).toBe(200);
  const { value } = data as { value: string };
  const answer = await probe.session.sendAs(`${user}!tok=${value}`, "GET", "/cluster/resources", { type: "vm" });
  expect(answer.data).toContainEqual(expect.objectContaining({ vmid: 100 }));
});
