import { describe, expect, it } from "vitest";
import type { GuestConfig } from "../../../proxmox/guests.ts";
import { fakeClone, fakeState, fakeWork } from "../fakeClone.ts";
import type { CloneInputs } from "../inputs.ts";
import { growDisk } from "./growDisk.ts";

const CONFIG = { scsi0: "local-lvm:vm-9101-disk-0,size=20G" };

async function growing(
  inputs: Partial<CloneInputs>,
  { config, fails, had = {} }: { config?: GuestConfig; fails?: Error; had?: Partial<CloneInputs> } = {},
) {
  const asked: unknown[] = [];
  let reads = 0;
  const work = fakeWork(inputs, { state: fakeState({ spec: fakeClone(had) }), config });
  const api = {
    readConfig: async () => {
      reads++;
      return CONFIG;
    },
    growDisk: async (vm: object, disk: object, onBegin: () => void) => {
      onBegin();
      asked.push({ ...vm, ...disk });
      if (fails) throw fails;
    },
  };
  const error = await growDisk(api, work).catch((one: Error) => one);
  const { diskGiB, bootDisk } = work.state.spec;
  return { asked, error, reads, messages: work.messages.said, spec: { diskGiB, bootDisk } };
}
const grown = { diskGiB: 40, bootDisk: "scsi0" };

describe("the boot disk", () => {
  it("is grown to what the config says, and the state has it when it is", async () => {
    const { asked, messages, spec } = await growing(grown, { config: CONFIG });
    expect(asked).toEqual([{ node: "pve1", vmId: 9101, drive: "scsi0", sizeGiB: 40, config: CONFIG }]);
    expect(messages).toEqual(["report: growing scsi0 of web-1 to 40 GiB"]);
    expect(spec).toEqual(grown);
  });

  it("is looked at first when no step has read the VM's config", async () => {
    expect(await growing(grown)).toMatchObject({ asked: [{ config: CONFIG }], reads: 1 });
    expect(await growing(grown, { config: CONFIG })).toMatchObject({ reads: 0 });
  });

  it("stays as it is where the config says nothing (any more)", async () => {
    const none = { diskGiB: undefined, bootDisk: undefined };
    expect(await growing({})).toMatchObject({ asked: [], spec: none });
    expect(await growing({}, { had: grown })).toMatchObject({ asked: [], spec: none });
  });

  it("has its old size in the state when PVE refuses", async () => {
    const had = { diskGiB: 30, bootDisk: "scsi0" };
    const refused = new Error("no space left");
    expect(await growing(grown, { config: CONFIG, had, fails: refused })).toMatchObject({ error: refused, spec: had });
  });
});
