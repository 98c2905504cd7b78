import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type Lab, startLab } from "../lab/lab.ts";
import type { ConfigReader } from "../providers/dynamic/handlers.ts";
import { provider, type SnippetsInputs } from "../providers/snippets/provider.ts";
import { configOf } from "./provider.ts";

const name = (hash: string, prefix = "noble-9000-") => `${prefix}user-${hash.repeat(12)}.yaml`;
const inputs = (...hashes: string[]): SnippetsInputs => ({
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

  it("all go with the template, but those that a VM still needs, and nobody else's", async () => {
    await provider.delete(config, "", inputs("d"));
    expect(await files()).toEqual([...others, name("a")].sort());
    await lab.control.deleteVm(9201);
    await provider.delete(config, "", inputs("d"));
    await expect.poll(() => provider.delete(config, "", inputs("d")).then(files)).toEqual([...others].sort());
  });
});
