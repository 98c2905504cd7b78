import { describe, expect, it } from "vitest";
import { networkRevision } from "../../../fleet/cloudInit/networkRevision.ts";
import type { Params } from "../../../proxmox/client.ts";
import type { GuestConfig } from "../../../proxmox/guests.ts";
import { fakeClone, fakeMade, fakeState, fakeWork, UUID } from "../fakeClone.ts";
import { guestIdentity } from "../observed.ts";
import { configure } from "./configure.ts";

const { uuid: _, instanceId: _i, ...bare } = fakeMade();
const { stack, fleetId, vmId, set, places } = fakeClone();
/** A clone that was made just now. */
const made = () => ({
  state: fakeState({ spec: { stack, fleetId, vmId, set, places, pool: "web" }, made: bare, status: "failed" }),
  isNew: true,
  freshUuid: UUID,
});
const CICUSTOM = "user=local:snippets/u.yaml,vendor=local:snippets/clones.yaml";
const withSnippets = { places: [{ node: "pve1", sourceVmId: 9000, cicustom: CICUSTOM }] };

async function configuring(
  work: ReturnType<typeof fakeWork>,
  { config = {} as GuestConfig, fails = undefined as Error | undefined } = {},
) {
  const reads: string[] = [];
  let set: Params = {};
  const api = {
    readConfig: async (node: string, id: number) => {
      reads.push(`${node} ${id}`);
      return config;
    },
    setOptions: async (_vm: object, options: Params) => {
      set = options;
      if (fails) throw fails;
    },
  };
  const error = await configure(api, work).catch((one: Error) => one);
  return { reads, set, error, identity: guestIdentity(set.smbios1), state: work.state };
}

describe("a clone that was made just now", () => {
  it("is configured without asking PVE for anything, and the state has what it got", async () => {
    const { reads, set, state } = await configuring(fakeWork({ pool: "web" }, made()));
    expect(reads).toEqual([]);
    expect(set).toMatchObject({ name: "web-1", ipconfig0: "ip=10.0.0.21/24,gw=10.0.0.1" });
    expect(String(set.smbios1)).toContain(`uuid=${UUID}`);
    // `start` and what the other steps bring is not there yet.
    const { start: _s, template: _t, full: _f, templateDatastore: _d, ...options } = fakeClone({ pool: "web" });
    expect(state.spec).toEqual(options);
    expect(state.made).toEqual({ ...bare, uuid: UUID });
  });

  it("stays the cloud-init instance that it is, where the clones have a vendor-data of their own", async () => {
    const { set, identity, state } = await configuring(fakeWork(withSnippets, made()));
    expect(set.cicustom).toBe(CICUSTOM);
    expect(identity?.instanceId).toBe(UUID);
    expect(state.made).toEqual({ ...bare, uuid: UUID, instanceId: UUID });
  });

  it("is another instance for each address where they have none: the guest would not take that over", async () => {
    const { set, identity } = await configuring(fakeWork({}, made()));
    expect(set).not.toHaveProperty("cicustom");
    expect(identity).not.toHaveProperty("instanceId");
  });

  it("is known to get its name on the drive, too, where the template has no snippets", async () => {
    const { set, state } = await configuring(fakeWork({ userData: "pve" }, made()));
    expect(set).not.toHaveProperty("cicustom");
    expect(state.made).toEqual({ ...bare, uuid: UUID, userData: "pve" });
  });

  it("is looked at where its interfaces or its disk are to be others", async () => {
    const config = { net0: "virtio=BC:24:11:00:00:01,bridge=vmbr0", smbios1: "uuid=ffff" };
    const { reads, set } = await configuring(fakeWork({ nics: [{ vlan: 7 }] }, made()), { config });
    expect(reads).toEqual(["pve1 9101"]);
    expect(set.net0).toBe("virtio=BC:24:11:00:00:01,bridge=vmbr0,tag=7");
    expect(String(set.smbios1)).toContain(`uuid=${UUID}`);
  });

  it("is without what PVE copies of its template and is not for clones; one that exists is left alone", async () => {
    const uninherited = ["protection"];
    expect((await configuring(fakeWork({ uninherited }, made()))).set.delete).toBe("protection");
    const { set } = await configuring(fakeWork({ uninherited }, { config: { protection: 1 } }));
    expect(set).not.toHaveProperty("delete");
    const had = fakeState({ spec: fakeClone({ options: { protection: "1" } }) });
    const lost = await configuring(fakeWork({ uninherited }, { state: had }), { config: { protection: 1 } });
    expect(lost.set).toMatchObject({ delete: "protection" });
  });

  it("says nothing of what it could not get", async () => {
    const refused = new Error("Permission check failed");
    const { state, error } = await configuring(fakeWork(withSnippets, made()), { fails: refused });
    expect(error).toBe(refused);
    expect(state).toEqual(made().state);
  });
});

describe("a clone that exists", () => {
  const config = { description: "ask Ann", smbios1: `uuid=${UUID}`, ipconfig1: "ip=dhcp" };

  it("keeps what people have written, and loses what its config does not have", async () => {
    const { reads, set } = await configuring(fakeWork({}, { config }));
    expect(reads).toEqual([]);
    expect(String(set.description)).toMatch(/^ask Ann\n\nproxmox-golden-fleet: /);
    expect(set.delete).toBe("ipconfig1");
  });

  it("is looked at when no step has: its disks have moved", async () => {
    const { reads, set } = await configuring(fakeWork(), { config });
    expect(reads).toEqual(["pve1 9101"]);
    expect(set.description).toContain("ask Ann");
  });

  it("keeps its snippets and its instance-id, whatever new clones get", async () => {
    const { set, identity, state } = await configuring(fakeWork(withSnippets, { config }));
    expect(set).not.toHaveProperty("cicustom");
    expect(identity?.instanceId).toBe(UUID);
    expect(state.made).toEqual(fakeMade());
  });

  it("gets both when it was made and never configured: its guest was never started", async () => {
    const work = fakeWork(withSnippets, { ...made(), isNew: false, config });
    const { set, identity, state } = await configuring(work);
    expect(set.cicustom).toBe(CICUSTOM);
    expect(identity?.instanceId).toBe(UUID);
    expect(state.made).toMatchObject({ uuid: UUID, instanceId: UUID });
    expect(set.description).toContain("ask Ann");
  });

  it("gets the template's hardware for what its config has taken back, and the state has none of its own", async () => {
    const state = fakeState({ spec: fakeClone({ cores: 8, description: "the first" }) });
    const work = fakeWork({}, { state, config: { ...config, description: "the first\n\nask Ann" } });
    const { reads, set } = await configuring(work, { config: { cores: 2 } });
    expect(reads).toEqual(["pve1 9000"]);
    expect(set).toMatchObject({ cores: 2, description: expect.stringMatching(/^ask Ann/) });
    for (const key of ["cores", "description"]) expect(work.state.spec).not.toHaveProperty(key);
  });

  it("has another name for its network settings when they change", async () => {
    const change = { ipConfigs: ["ip=10.0.0.99/24,gw=10.0.0.1"] };
    const { identity, state } = await configuring(fakeWork(change, { config }));
    expect(identity?.network).toBe(networkRevision(fakeClone(change)));
    expect(state.spec.ipConfigs).toEqual(change.ipConfigs);
  });

  it("has its old values in the state when PVE refuses new ones", async () => {
    const work = fakeWork({ name: "db-1", cores: 4 }, { config });
    const { state } = await configuring(work, { fails: new Error("no") });
    expect(state).toEqual(fakeState());
  });
});
