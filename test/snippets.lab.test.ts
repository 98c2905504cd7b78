import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { type Lab, startLab } from "../lab/lab.ts";
import type { ConfigReader } from "../providers/dynamic/handlers.ts";
import { provider, type SnippetsInputs } from "../providers/snippets/provider.ts";
import { configOf } from "./provider.ts";

/** What stays on the user's screen. */
const noted: string[] = [];
vi.mock("../providers/dynamic/progress.ts", () => ({
  messagesOf: () => ({ info: (text: string) => noted.push(text) }),
}));

const name = (hash: string, prefix = "noble-9000-") => `${prefix}user-${hash.repeat(12)}.yaml`;
const inputs = (...hashes: string[]): SnippetsInputs => ({
  statusUrn: "",
  node: "pve1",
  datastore: "local",
  prefix: "noble-9000-",
  current: hashes.map((hash) => name(hash)),
});
/** Files that look alike, but are not the template's. */
const others = [name("a", "noble-9000-1-"), name("a", "noble-900-"), "noble-9000-notes.yaml"];

describe("the snippets of a template", () => {
  let dir: string;
  let lab: Lab;
  let config: ConfigReader;
  const files = async () =>
    Object.keys((await lab.control.state()).files)
      .map((file) => file.split("snippets/")[1] ?? "")
      .filter((file) => file.startsWith("noble-"))
      .sort();
  const put = (file: string) => lab.control.putFile("local", "snippets", file, "#cloud-config\n");

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), "golden-fleet-"));
    lab = await startLab({ dir, timeScale: 0.01 });
    config = configOf(lab);
    // A full clone from before the change. It is in the list of guests by the time it matters.
    const cicustom = `user=local:snippets/${name("a")},vendor=local:snippets/other.yaml`;
    await lab.control.addVm({ vmid: 9201, config: { name: "db-1", cicustom } });
  });
  afterAll(async () => {
    await lab?.stop();
    if (dir) await rm(dir, { recursive: true, force: true });
  });
  beforeEach(async () => {
    noted.length = 0;
    for (const file of [...others, name("a"), name("b"), name("c"), name("d")]) await put(file);
  });

  it("are kept while they are new, just replaced, or named by any VM", async () => {
    await provider.update(config, "", inputs("b"), inputs("c"));
    expect(await files()).toEqual([...others, name("a"), name("b"), name("c")].sort());
  });

  it("are not looked at when there is no old one", async () => {
    await lab.control.clearRequests();
    await provider.update(config, "", { ...inputs("a", "b"), current: [name("a"), name("b")] }, inputs("c", "d"));
    expect((await lab.control.requests()).api).toHaveLength(1);
  });

  it("stay when they cannot be proven unused: a node that does not answer is no reason to stop, or to delete", async () => {
    await lab.control.addVm({ vmid: 9202, node: "pve2", config: { name: "far" } });
    await lab.control.nodeOnline("pve2", false);
    await provider.update(config, "", inputs("b"), inputs("c"));
    await provider.delete(config, "", inputs("d"));
    expect(await files()).toEqual([...others, name("a"), name("b"), name("c"), name("d")].sort());
    const stays = (hash: string, who: string) =>
      expect.stringMatching(new RegExp(`^local:snippets/${name(hash)} stays: ${who}`));
    expect(noted).toEqual([
      stays("a", 'VM 9201 "db-1" on node pve1 uses it .*pvesm free local:snippets/'),
      ...["b", "c", "d"].map((hash) => stays(hash, "VM 9202 .*on node pve2 cannot be looked at, and may use it")),
    ]);
    await lab.control.nodeOnline("pve2", true);
    await lab.control.deleteVm(9202);
  });

  it("stay when their own node does not answer", async () => {
    await lab.control.nodeOnline("pve1", false);
    await provider.delete(config, "", inputs("d"));
    expect(noted).toEqual([
      expect.stringMatching(/^snippets of noble-9000- stay on datastore local: node pve1 does not answer/),
    ]);
    await lab.control.nodeOnline("pve1", true);
  });

  it("all go with the template, but those that a VM still needs, which is named, and nobody else's", async () => {
    await provider.delete(config, "", inputs("d"));
    expect(await files()).toEqual([...others, name("a")].sort());
    expect(noted).toEqual([expect.stringMatching(/stays: VM 9201 "db-1" on node pve1 uses it/)]);
    await lab.control.deleteVm(9201);
    await provider.delete(config, "", inputs("d"));
    await expect.poll(() => provider.delete(config, "", inputs("d")).then(files)).toEqual([...others].sort());
  });

  describe("that are gone", () => {
    const check = (olds: Partial<SnippetsInputs>, ...hashes: string[]) =>
      provider.check?.(config, olds, inputs(...hashes)).then((checked) => checked.inputs?.restored);
    const gone = async (hash: string) => lab.control.removeFile("local", "snippets", name(hash));

    it("are uploaded again, each time", async () => {
      await gone("a");
      const before = { ...inputs("a", "b"), restored: { [name("a")]: 2, [name("b")]: 0 } };
      expect(await check(before, "a", "b")).toEqual({ [name("a")]: 3, [name("b")]: 0 });
      expect(noted).toEqual([`${name("a")} is gone from datastore local; it is uploaded again`]);
    });

    it("are not new ones, which nobody has uploaded yet, and not those that cannot be looked for", async () => {
      await gone("c");
      expect(await check({}, "c")).toEqual({ [name("c")]: 0 });
      expect(await check({ ...inputs("b"), restored: { [name("b")]: 1 } }, "b", "c")).toEqual({
        [name("b")]: 1,
        [name("c")]: 0,
      });
      await lab.control.nodeOnline("pve1", false);
      expect(await check({ ...inputs("c"), restored: {} }, "c")).toEqual({ [name("c")]: 0 });
      await lab.control.nodeOnline("pve1", true);
      expect(noted).toEqual([]);
    });

    it("wait for the next run by a state of an earlier version, whose files have no trigger", async () => {
      await gone("a");
      expect(await check(inputs("a"), "a")).toEqual({ [name("a")]: 0 });
      expect(noted).toEqual([`${name("a")} is gone from datastore local; the next \`pulumi up\` uploads it again`]);
    });
  });
});
