import { describe, expect, it } from "vitest";
import { ownerOf, parseMark } from "../../../fleet/ownership.ts";
import type { GuestConfig } from "../../../proxmox/guests.ts";
import type { Look } from "../../guest/lookUp.ts";
import { fakeClone, fakeMade, fakeState, fakeWork, UUID } from "../fakeClone.ts";
import { markOf, notesOf } from "../mark.ts";
import { options } from "../options.ts";
import { find } from "./find.ts";

const OURS = notesOf(undefined, markOf(fakeClone(), fakeMade()));
const { smbios1 } = options(fakeClone(), { config: { smbios1: `uuid=${UUID}` }, made: fakeMade(), spec: {} });

const vm = (config: GuestConfig, node = "pve1"): Look => ({
  kind: "vm",
  node,
  config,
  owner: ownerOf(config.description, 9101, "c1d2be9a"),
  mark: parseMark(config.description, 9101),
  busy: undefined,
});

async function finding(look: Look, work = fakeWork()) {
  const hints: (string | undefined)[] = [];
  const lookUp = async (node: string | undefined) => {
    hints.push(node);
    return look;
  };
  const error = await find({ lookUp }, work).catch((one: Error) => one);
  return { work, hints, error };
}

describe("the VM of a clone is found", () => {
  it("where it is now, and its config is known from then on", async () => {
    const config = { description: OURS, smbios1 };
    const { work, hints } = await finding(vm(config, "pve3"));
    expect(hints).toEqual(["pve1"]);
    expect(work.state).toEqual(fakeState({ node: "pve3" }));
    expect(work.config).toBe(config);
    expect(work.freshUuid).toBeUndefined();
  });

  it("and tells the UUID that a state of an earlier version does not know, and where its disks are", async () => {
    const { uuid: _, instanceId: _i, ...old } = fakeMade({ full: true });
    const config = { description: OURS, smbios1, scsi0: "ceph:vm-9101-disk-0" };
    const { work } = await finding(vm(config), fakeWork({}, { state: fakeState({ made: old }) }));
    expect(work.state.made).toEqual({ ...old, uuid: UUID, instanceId: UUID, datastore: "ceph" });
  });

  it("and is as new as any when configuring it had failed", async () => {
    const { hostname: _, ...spec } = fakeClone();
    const state = fakeState({ spec, status: "failed" });
    const { work } = await finding(vm({ description: OURS, smbios1: `uuid=${UUID}` }), fakeWork({}, { state }));
    expect(work.freshUuid).toBe(UUID);
  });

  it("without its notes, by its UUID", async () => {
    const { error } = await finding(vm({ smbios1 }));
    expect(error).toBeUndefined();
  });
});

describe("the VM of a clone is not found, and the state stays as it was,", () => {
  it.each<[string, Look, string]>([
    ["when it is gone", { kind: "absent" }, "VM 9101 is gone; `pulumi refresh` takes the clone out of the state"],
    [
      "when a stranger's VM has its VMID",
      vm({ name: "mail" }),
      'VMID 9101 is taken by VM "mail" on node pve1, which this stack did not make; `pulumi refresh`',
    ],
    [
      "when a container has it",
      { kind: "container", node: "pve1", name: "mail" },
      'VMID 9101 is taken by container "mail" on node pve1; `pulumi refresh`',
    ],
    [
      "when its node does not answer",
      { kind: "unreachable", node: "pve1" },
      "node pve1 does not answer, so VM 9101 on it is left as it is",
    ],
  ])("%s", async (_when, look, text) => {
    const { work, error } = await finding(look);
    expect(error?.message).toContain(text);
    expect(work.state).toEqual(fakeState());
  });

  it("unless the config says that whatever VM is there is to be taken over", async () => {
    const { error } = await finding(vm({ name: "mail" }), fakeWork({ adopt: true }));
    expect(error).toBeUndefined();
    const container = await finding({ kind: "container", node: "pve1", name: "mail" }, fakeWork({ adopt: true }));
    expect(container.error?.message).toContain("is taken by container");
  });
});
