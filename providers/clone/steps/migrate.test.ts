import { describe, expect, it } from "vitest";
import { ApiError, TaskError } from "../../../proxmox/errors.ts";
import { fakeMade, fakeState, fakeWork } from "../fakeClone.ts";
import type { Place } from "../inputs.ts";
import { migrate } from "./migrate.ts";

const UPID = "UPID:pve1:1:2:3:qmigrate:9101:a@pve:";
const TO: Place = { node: "pve2", sourceVmId: 9001, cicustom: "vendor=local:snippets/clones-2.yaml" };
const { instanceId: _, ...old } = fakeMade();

async function migrating({
  place = TO,
  fails = undefined as Error | undefined,
  refuses = undefined as Error | undefined,
  made = fakeMade(),
  cicustom = "vendor=local:snippets/clones-1.yaml",
} = {}) {
  const asked: string[] = [];
  const work = fakeWork(
    { places: [place] },
    { state: fakeState({ made }), config: cicustom === "" ? {} : { cicustom } },
  );
  const api = {
    migrate: async (
      vm: { node: string; vmId: number },
      target: string,
      options: { onLog?: ((line: string) => void) | undefined },
    ) => {
      asked.push(`migrate ${vm.vmId} from ${vm.node} to ${target}`);
      options.onLog?.("scsi0: transferred 1.0 GiB of 8.0 GiB (12.50%) in 4s");
      if (fails) throw fails;
    },
    readConfig: async (node: string, vmId: number) => {
      asked.push(`read ${node} ${vmId}`);
      return { cicustom: "vendor=local:snippets/template-2.yaml" };
    },
    setOptions: async ({ node }: { node: string }, options: object) => {
      asked.push(`set ${node} ${JSON.stringify(options)}`);
      if (refuses) throw refuses;
    },
  };
  const error = await migrate(api, work, place).catch((one: Error) => one);
  return { asked, error, work };
}

describe("a clone goes to another node", () => {
  it("and the state has it there, with the places of today's config", async () => {
    const { work, asked } = await migrating({ cicustom: "" });
    expect(asked).toEqual(["migrate 9101 from pve1 to pve2"]);
    expect(work.state).toMatchObject({ node: "pve2", spec: { places: [TO] } });
    expect(work.messages.said).toEqual([
      "report: migrating web-1 from pve1 to pve2",
      "progress: migrating web-1 to pve2: 12%",
    ]);
  });

  it("where its snippets have other names: the clones' own, or of an earlier clone the template's", async () => {
    const now = await migrating();
    expect(now.asked.slice(1)).toEqual(['set pve2 {"cicustom":"vendor=local:snippets/clones-2.yaml"}']);
    const before = await migrating({ made: old });
    expect(before.asked.slice(1)).toEqual([
      "read pve2 9001",
      'set pve2 {"cicustom":"vendor=local:snippets/template-2.yaml"}',
    ]);
  });

  it("and keeps its snippets where they have the same names, or where there is no template", async () => {
    expect((await migrating({ cicustom: TO.cicustom ?? "" })).asked).toHaveLength(1);
    expect((await migrating({ place: { ...TO, sourceNode: "pve1" } })).asked).toHaveLength(1);
  });
});

describe("a clone stays where it is, and the state says so,", () => {
  it("when its migration fails; the end of the task's log is told", async () => {
    const log = ["copying local disk images", "ERROR: migration aborted: no space left on device"];
    const { work, error } = await migrating({ fails: new TaskError(UPID, "migration aborted", log) });
    expect(work.state).toEqual(fakeState());
    const { message } = error as Error;
    expect(message).toMatch(/^could not migrate web-1 to pve2 \(node pve1, VM 9101\)/);
    expect(message).toContain("no space left on device");
    expect(message).not.toContain("linked clone");
  });

  it("when its disks stand on the template's, which PVE does not copy: what can be done is told", async () => {
    const log = ["ERROR: can't migrate 'local-lvm:vm-9101-disk-0' as it's a clone of 'base-9000-disk-0'"];
    const { error } = await migrating({ fails: new TaskError(UPID, "migration aborted", log) });
    expect((error as Error).message).toContain(
      "A linked clone whose disks are on a datastore of node pve1 alone stays",
    );
  });
});

it("a clone whose snippets could not be set has gone to the other node all the same", async () => {
  const refused = new ApiError("PUT", 403, "Permission check failed");
  const { work, error } = await migrating({ refuses: refused });
  expect(error).toBe(refused);
  expect(work.state.node).toBe("pve2");
});
