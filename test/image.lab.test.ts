import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { type Lab, startLab } from "../lab/lab.ts";
import type { ImageInputs, ImageState } from "../providers/image/provider.ts";

let dir: string;
let lab: Lab;
let image: Buffer;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "golden-fleet-image-"));
  lab = await startLab({ dir: join(dir, "lab"), timeScale: 0.02 });
  image = Buffer.from(await (await fetch(lab.image.url)).arrayBuffer());
});
afterAll(async () => {
  await lab?.stop();
  await rm(dir, { recursive: true, force: true });
});
beforeEach(() => lab.control.clearRequests());
afterEach(async () => {
  await lab.control.clearFaults();
  await lab.control.privileges();
  await lab.control.storage("local", { avail: 50 * 2 ** 30 });
});

/** What one process of the program has in memory. Another run is another process. */
async function newRun() {
  vi.resetModules();
  const [{ createImage, provider }, { runOf }] = await Promise.all([
    import("../providers/image/provider.ts"),
    import("../providers/run/connect.ts"),
  ]);
  const shown: string[] = [];
  const values: Record<string, string> = {
    cluster: JSON.stringify({ endpoint: lab.endpoint, tls: { caFile: lab.caFile }, node: "pve1" }),
    apiToken: lab.apiToken,
  };
  const config = { get: (key: string) => values[key] };
  const run = runOf(config);
  return {
    client: run.client,
    provider,
    /** The progress that a user sees. */
    shown,
    config,
    setTemplates: (templates: Record<string, unknown>) => {
      values.templates = JSON.stringify(templates);
    },
    create: (inputs: ImageInputs): Promise<ImageState> =>
      createImage(run, inputs, { report: (text) => shown.push(text), pauseMs: 1 }),
  };
}

let names = 0;

/** An image of its own on the mirror, so that no test finds the file of another one. */
async function publish(bytes: Buffer = image, extension = "img"): Promise<ImageInputs & { checksum: string }> {
  const name = `noble-${++names}.${extension}`;
  const { sha256 } = await lab.control.addImage(name, { base64: bytes.toString("base64") });
  return {
    statusUrn: "urn:pulumi:test::fleet::golden-fleet:VmTemplate$pulumi-nodejs:dynamic/golden-fleet:Image::noble-image",
    node: "pve1",
    datastore: "local",
    url: `${lab.imagesUrl}/${name}`,
    checksum: `sha256:${sha256}`,
    diskBytes: 20 * 2 ** 30,
    keepImage: true,
  };
}

const without = <K extends keyof ImageInputs>(inputs: ImageInputs, key: K) => {
  const { [key]: _, ...rest } = inputs;
  return rest as ImageInputs;
};

/** What the mirror was asked for: `GET /noble-1.img`. */
const asked = async () => (await lab.control.requests()).images.map(({ method, path }) => `${method} ${path}`);
const pathOf = ({ url }: ImageInputs) => `GET ${new URL(url).pathname}`;

async function files(): Promise<string[]> {
  const { files: all } = await lab.control.state();
  return Object.keys(all).filter((file) => file.includes(":import/"));
}
const isThere = async (state: { storedName: string }) =>
  (await files()).includes(`pve1/local:import/${state.storedName}`);

/** A download is complete and verified, or not there at all. */
async function expectNothingLeft(inputs: ImageInputs): Promise<void> {
  const stem = new URL(inputs.url).pathname.slice(1).split(".")[0] ?? "";
  expect((await files()).filter((file) => file.includes(`/${stem}-`))).toEqual([]);
  expect((await lab.control.state()).leftovers).toEqual([]);
}

/** The first bytes of a qcow2 file whose disk has this size. */
function qcow2Of(virtualBytes: number): Buffer {
  const head = Buffer.from(image);
  head.writeBigUInt64BE(BigInt(virtualBytes), 24);
  return head;
}

const downloads = async () => (await lab.control.tasks()).filter(({ type }) => type === "download");
const startsOf = async () =>
  (await lab.control.requests()).api.filter(({ method, path }) => method === "POST" && path.endsWith("/download-url"));

/** A download takes about ten seconds, unless it is told to be quick meanwhile. */
const SLOWLY = { bytesPerSecond: 20_000 };
const JOINED = /is being downloaded already: waiting for that$/;

/** A run has found the download of another one; from then on that is quick. */
async function joined({ shown }: { shown: string[] }): Promise<void> {
  await expect.poll(() => shown).toContainEqual(expect.stringMatching(JOINED));
  await lab.control.images({ bytesPerSecond: 0 });
}

describe("an image that is not there", () => {
  test("is downloaded by the node, verified, and its facts are told", async () => {
    const run = await newRun();
    const inputs = await publish();
    const state = await run.create(inputs);
    expect(state).toEqual({
      ...inputs,
      volumeId: `local:import/noble-${names}-${inputs.checksum.slice(7, 23)}.qcow2`,
      storedName: `noble-${names}-${inputs.checksum.slice(7, 23)}.qcow2`,
      resolvedFormat: "qcow2",
      resolvedChecksum: inputs.checksum,
      sizeBytes: image.length,
      virtualSizeBytes: 200 * 2 ** 20,
      origin: "downloaded",
    });
    expect(await asked()).toEqual([pathOf(inputs)]);
    expect(run.shown.at(-1)).toBe(`${state.storedName}: downloaded, qcow2, 0.2 MiB, disk 200 MiB, sha256 verified`);
  });

  test("shows how far it is", async () => {
    await lab.control.images({ bytesPerSecond: 400_000 });
    const run = await newRun();
    const state = await run.create(await publish());
    const percent = run.shown.flatMap((text) => /^downloading .*: (\d+)%$/.exec(text)?.[1] ?? []).map(Number);
    expect(percent.length).toBeGreaterThan(1);
    expect(percent).toEqual(percent.toSorted((a, b) => a - b));
    expect(run.shown.at(-1)).toContain(state.storedName);
  });

  test("is verified by the list beside it", async () => {
    const run = await newRun();
    const { checksum, ...inputs } = await publish();
    const state = await run.create({ ...inputs, checksumUrl: `${lab.imagesUrl}/SHA256SUMS` });
    expect(state).toMatchObject({ resolvedChecksum: checksum, origin: "downloaded" });
    expect(await asked()).toEqual(["GET /SHA256SUMS", pathOf(inputs)]);
  });

  test("may have no checksum, and is said to be unverified", async () => {
    const run = await newRun();
    const inputs = without(await publish(), "checksum");
    const state = await run.create(inputs);
    expect(state).toMatchObject({ resolvedChecksum: "none", origin: "downloaded" });
    expect(run.shown.at(-1)).toMatch(/not verified \(no checksum\)$/);
    const again = await (await newRun()).create(inputs);
    expect(again).toMatchObject({ volumeId: state.volumeId, origin: "cached" });
    expect(await asked()).toEqual([pathOf(inputs)]);
  });

  test.each([
    ["img", "qcow2"],
    ["qcow2", "qcow2"],
    ["raw", "raw"],
  ])("may be called .%s, and is stored as %s", async (extension, format) => {
    const bytes = format === "raw" ? Buffer.alloc(2 ** 20, 7) : image;
    const state = await (await newRun()).create(await publish(bytes, extension));
    expect(state.storedName).toMatch(new RegExp(`\\.${format}$`));
    expect(state).toMatchObject({
      resolvedFormat: format,
      virtualSizeBytes: format === "raw" ? 2 ** 20 : 200 * 2 ** 20,
    });
  });

  test.each(["md5", "sha1", "sha224", "sha256", "sha384", "sha512"])("is verified by %s", async (algorithm) => {
    const { createHash } = await import("node:crypto");
    const inputs = await publish();
    const value = createHash(algorithm).update(image).digest("hex");
    expect(await (await newRun()).create({ ...inputs, checksum: `${algorithm}:${value}` })).toMatchObject({
      resolvedChecksum: `${algorithm}:${value}`,
      origin: "downloaded",
    });
    const wrong = {
      ...inputs,
      checksum: `${algorithm}:${value.replace(/^./, (digit) => (digit === "0" ? "1" : "0"))}`,
    };
    await expect((await newRun()).create(wrong)).rejects.toThrow(/checksum mismatch/);
  });
});

describe("an image that is there", () => {
  test("is verified again by the node, and the mirror is asked nothing", async () => {
    const inputs = await publish();
    await (await newRun()).create(inputs);
    await lab.control.clearRequests();
    const run = await newRun();
    expect(await run.create(inputs)).toMatchObject({ origin: "cached" });
    expect(await asked()).toEqual([]);
    expect(run.shown).toEqual([
      expect.stringMatching(/^verifying noble-/),
      expect.stringMatching(/: cached, qcow2, 0.2 MiB, disk 200 MiB, sha256 verified$/),
    ]);
  });

  test("but has other bytes than its name says is removed and downloaded again", async () => {
    const inputs = await publish();
    const { storedName } = await (await newRun()).create(inputs);
    await lab.control.putFile("local", "import", storedName, "");
    await lab.control.fail({
      method: "GET",
      path: "/nodes/{node}/storage/{storage}/content/{volume}",
      status: 500,
      message: `volume 'local:import/${storedName}' has size zero`,
    });
    await lab.control.clearRequests();
    const run = await newRun();
    const state = await run.create(inputs);
    expect(state).toMatchObject({ storedName, origin: "downloaded", sizeBytes: image.length });
    expect(await asked()).toEqual([pathOf(inputs)]);
    expect(run.shown).toContain(`${storedName} is not what its name says: removing it`);
  });

  test("is one file for two templates, downloaded once", async () => {
    await lab.control.images({ bytesPerSecond: 400_000 });
    const run = await newRun();
    const inputs = await publish();
    const [one, other] = await Promise.all([run.create(inputs), run.create({ ...inputs, diskBytes: 2 ** 32 })]);
    // Which of them is first is PVE's choice.
    expect([one.origin, other.origin].sort()).toEqual(["cached", "downloaded"]);
    expect(other.volumeId).toBe(one.volumeId);
    expect(await asked()).toEqual([pathOf(inputs)]);
    expect(await startsOf()).toHaveLength(1);
  });

  test("does not keep templates of other images waiting", async () => {
    const run = await newRun();
    const [slow, quick] = [await publish(), await publish(Buffer.alloc(2 ** 20, 3), "raw")];
    await lab.control.images({ stalls: 1, only: new URL(slow.url).pathname.slice(1) });
    const waiting = run.create(slow).catch((error: Error) => error);
    await expect.poll(asked).toContain(pathOf(slow));
    expect(await run.create(quick)).toMatchObject({ origin: "downloaded" });
    await lab.control.clearFaults();
    const [stalled] = (await downloads()).filter(({ status }) => status === "running");
    await lab.control.killTask({ upid: stalled?.upid ?? "" });
    expect(await waiting).toMatchObject({ origin: "downloaded" });
  });
});

describe("what may pass is tried three times", () => {
  test.each([
    ["a dropped connection", { drops: 2 }],
    ["a 503", { errors: 2 }],
    ["a 500", { errors: 2, status: 500 }],
  ])("%s", async (_, knobs) => {
    const inputs = await publish();
    await lab.control.images(knobs);
    const run = await newRun();
    expect(await run.create(inputs)).toMatchObject({ origin: "downloaded", sizeBytes: image.length });
    expect(await asked()).toEqual([pathOf(inputs), pathOf(inputs), pathOf(inputs)]);
    expect(run.shown.filter((text) => text.startsWith("download failed"))).toEqual([
      expect.stringMatching(/^download failed \(download failed: exit code \d\); try 2 of 3$/),
      expect.stringMatching(/; try 3 of 3$/),
    ]);
    expect((await lab.control.state()).leftovers).toEqual([]);
  });

  test.each([
    ["DNS", "download failed: wget: unable to resolve host address 'mirror.example.net'"],
    ["a timeout", "download failed: Read error (Connection timed out) in headers."],
    ["a refused connection", "download failed: Connecting to 10.0.0.9:80... failed: Connection refused."],
  ])("%s", async (_, message) => {
    const inputs = await publish();
    await lab.control.failTask("download", message, 2);
    expect(await (await newRun()).create(inputs)).toMatchObject({ origin: "downloaded" });
    expect(await startsOf()).toHaveLength(3);
  });

  test("and not a fourth time; the text says all there is to know", async () => {
    const inputs = await publish();
    await lab.control.images({ errors: 9 });
    const failing = (await newRun()).create(inputs);
    await expect(failing).rejects.toThrow(/^could not download/);
    const { message } = (await failing.catch((error: Error) => error)) as Error;
    expect(message.replaceAll(/\d{4}-\d\d-\d\d \d\d:\d\d:\d\d/g, "TIME").split("\n")).toEqual([
      `could not download ${inputs.url} in 3 tries (node pve1, datastore local)`,
      expect.stringMatching(/^ {2}PVE task download noble-.* failed: download failed: exit code 8$/),
      expect.stringMatching(/^ {2}task log: /),
      expect.stringContaining("Connecting to 127.0.0.1"),
      expect.stringContaining("awaiting response... 503 Service Unavailable"),
      expect.stringContaining("TIME ERROR 503: Service Unavailable."),
      expect.stringContaining("TASK ERROR: download failed: exit code 8"),
      "  The mirror is in trouble: run `pulumi up` again later, or name another mirror in image.url.",
    ]);
    expect(await startsOf()).toHaveLength(3);
    await expectNothingLeft(inputs);
  });

  test("an API that drops the connection while the task runs: the task is waited for, not started again", async () => {
    const inputs = await publish();
    await lab.control.images({ bytesPerSecond: 400_000 });
    await lab.control.cut("GET", "/nodes/{node}/tasks/{upid}/status", "before", 1);
    expect(await (await newRun()).create(inputs)).toMatchObject({ origin: "downloaded" });
    expect(await asked()).toEqual([pathOf(inputs)]);
  });

  test("an answer that was lost: the download that it started is waited for", async () => {
    const inputs = await publish();
    await lab.control.images(SLOWLY);
    await lab.control.cut("POST", "/nodes/{node}/storage/{storage}/download-url", "after", 1);
    const run = await newRun();
    const creating = run.create(inputs);
    await joined(run);
    expect(await creating).toMatchObject({ origin: "downloaded" });
    expect(await asked()).toEqual([pathOf(inputs)]);
  });

  test("a worker that was killed", async () => {
    const inputs = await publish();
    await lab.control.images({ stalls: 1 });
    const creating = (await newRun()).create(inputs);
    await expect.poll(asked).toHaveLength(1);
    await lab.control.killTask({ type: "download" });
    expect(await creating).toMatchObject({ origin: "downloaded" });
    expect(await asked()).toHaveLength(2);
  });
});

describe("what will not pass is tried once, and nothing stays", () => {
  test("a file that the mirror does not have", async () => {
    const inputs = { ...(await publish()), url: `${lab.imagesUrl}/nowhere.img` };
    await expect((await newRun()).create(inputs)).rejects.toThrow(
      /could not download .*nowhere\.img \(node pve1, datastore local\)\n(.*\n)*.*ERROR 404: .*\n(.*\n)*.*The mirror does not have the file: check image\.url/,
    );
    expect(await asked()).toHaveLength(1);
    await expectNothingLeft(inputs);
  });

  test("a file that is not the one of the checksum", async () => {
    const inputs = { ...(await publish()), checksum: `sha256:${"0".repeat(64)}` };
    await expect((await newRun()).create(inputs)).rejects.toThrow(
      /checksum mismatch: got '[0-9a-f]{64}' != expect '0{64}'\n(.*\n)*.*compare both/,
    );
    expect(await asked()).toHaveLength(1);
    await expectNothingLeft(inputs);
  });

  test("a file that was changed on the way", async () => {
    const inputs = await publish();
    await lab.control.images({ corrupt: 1 });
    await expect((await newRun()).create(inputs)).rejects.toThrow(/checksum mismatch/);
    await expectNothingLeft(inputs);
    expect(await (await newRun()).create(inputs)).toMatchObject({ origin: "downloaded" });
  });

  test("a full datastore", async () => {
    const inputs = await publish();
    await lab.control.storage("local", { avail: 10_000 });
    await expect((await newRun()).create(inputs)).rejects.toThrow(
      /No space left on device(.*\n)*.*Make room on the datastore, or name another one/,
    );
    expect(await asked()).toHaveLength(1);
    await expectNothingLeft(inputs);
    await lab.control.storage("local", { avail: 50 * 2 ** 30 });
    expect(await (await newRun()).create(inputs)).toMatchObject({ origin: "downloaded" });
  });

  test("a broken image, with a checksum that fits", async () => {
    const inputs = await publish(Buffer.alloc(100_000, 5));
    await expect((await newRun()).create(inputs)).rejects.toThrow(
      /failed to verify file: .*Image is not in qcow2 format\n(.*\n)*.*say what it is with image\.format/,
    );
    expect(await asked()).toHaveLength(1);
    await expectNothingLeft(inputs);
    expect(await (await newRun()).create({ ...inputs, format: "raw" })).toMatchObject({ resolvedFormat: "raw" });
  });

  test("a download that may not be started names what is missing", async () => {
    await lab.control.privileges("/storage", ["Datastore.Audit"]);
    await expect((await newRun()).create(await publish())).rejects.toThrow(
      /Datastore\.AllocateTemplate\)\n.*preflight lists the missing privileges/,
    );
    expect(await startsOf()).toHaveLength(1);
  });

  test("a checksum list without the file: nothing is downloaded", async () => {
    const { checksum: _, ...inputs } = await publish();
    const wrong = {
      ...inputs,
      url: inputs.url.replace(".img", "-arm64.img"),
      checksumUrl: `${lab.imagesUrl}/SHA256SUMS`,
    };
    await expect((await newRun()).create(wrong)).rejects.toThrow(
      /could not find the checksum in .*SHA256SUMS\n {2}it has no checksum of noble-\d+-arm64\.img/,
    );
    expect(await startsOf()).toHaveLength(0);
  });

  test("an image whose disk is larger than the one that is wanted", async () => {
    const inputs = { ...(await publish(qcow2Of(30 * 2 ** 30))), diskBytes: 20 * 2 ** 30 };
    await expect((await newRun()).create(inputs)).rejects.toThrow(
      "the image's disk has 30720 MiB, more than disk.sizeGiB: 20 (20480 MiB), and a disk cannot shrink; set disk.sizeGiB to 30 or more",
    );
    expect(await (await newRun()).create({ ...inputs, diskBytes: 30 * 2 ** 30 })).toMatchObject({ origin: "cached" });
  });
});

describe("runs that meet", () => {
  test("a run after one that was killed waits for the download that goes on", async () => {
    const inputs = await publish();
    await lab.control.images(SLOWLY);
    // Of the killed run nothing is left but the task on the node.
    const killed = await newRun();
    void killed.create(inputs).catch(() => undefined);
    await expect.poll(asked).toHaveLength(1);
    const next = await newRun();
    const creating = next.create(inputs);
    await joined(next);
    expect(await creating).toMatchObject({ origin: "downloaded" });
    expect(await asked()).toHaveLength(1);
    expect(next.shown[0]).toMatch(JOINED);
  });

  test.each([
    ["with a checksum", (inputs: ImageInputs) => inputs],
    ["without one", (inputs: ImageInputs) => without(inputs, "checksum")],
  ])("two stacks that want the same file at the same moment both get it, %s", async (_, change) => {
    const inputs = change(await publish());
    const [one, other] = [await newRun(), await newRun()];
    const states = await Promise.all([one.create(inputs), other.create(inputs)]);
    expect(new Set(states.map(({ volumeId }) => volumeId)).size).toBe(1);
    expect(await isThere(states[0])).toBe(true);
    expect((await lab.control.state()).leftovers).toEqual([]);
  });

  test("a stack that does not see the other's tasks gets the file too", async () => {
    const inputs = await publish();
    await lab.control.images({ bytesPerSecond: 200_000 });
    await lab.control.privileges("/nodes", ["Sys.AccessNetwork"]);
    const { PveClient } = await import("../proxmox/client.ts");
    const [id = "", secret = ""] = lab.rootToken.split("=");
    const root = new PveClient({
      endpoint: lab.endpoint,
      tls: { caFile: lab.caFile, insecure: false },
      login: { kind: "token", id, secret },
    });
    const { storedName } = await (await newRun()).create(inputs);
    await lab.control.removeFile("local", "import", storedName);
    await root.post("/nodes/pve1/storage/local/download-url", {
      content: "import",
      filename: storedName,
      url: inputs.url,
    });
    expect(await (await newRun()).create(inputs)).toMatchObject({ storedName });
    await root.close();
  });
});

describe("refresh and the next up", () => {
  test("get a file again that somebody removed, by the checksum of the first time", async () => {
    const { checksum, ...inputs } = await publish();
    const byList = { ...inputs, checksumUrl: `${lab.imagesUrl}/SHA256SUMS` };
    const run = await newRun();
    const state = await run.create(byList);
    expect((await run.provider.read(run.config, state.volumeId, state))?.outs).toEqual(state);

    await lab.control.removeFile("local", "import", state.storedName);
    await lab.control.clearRequests();
    const next = await newRun();
    const refreshed = (await next.provider.read(next.config, state.volumeId, state))?.outs as ImageState;
    expect(refreshed).toEqual({ ...state, missing: true });
    expect(await next.provider.diff(next.config, state.volumeId, refreshed, byList)).toMatchObject({ changes: true });
    expect(await next.provider.update(next.config, state.volumeId, refreshed, byList)).toEqual(state);
    expect(await asked()).toEqual([pathOf(inputs)]);
    expect(state.resolvedChecksum).toBe(checksum);
  });

  test("never take another image silently: a mirror that has moved on is told", async () => {
    const { checksum: _, ...inputs } = await publish();
    const byList = { ...inputs, checksumUrl: `${lab.imagesUrl}/SHA256SUMS` };
    const run = await newRun();
    const state = await run.create(byList);
    await lab.control.removeFile("local", "import", state.storedName);
    await lab.control.addImage(new URL(inputs.url).pathname.slice(1), { base64: qcow2Of(2 ** 30).toString("base64") });
    const next = await newRun();
    await expect(
      next.provider.update(next.config, state.volumeId, { ...state, missing: true }, byList),
    ).rejects.toThrow(/checksum mismatch(.*\n)*.*the mirror has another file now.*give its checksum in the config/);
  });
});

describe("destroy", () => {
  const remove = async (state: ImageState, templates: Record<string, unknown>) => {
    const run = await newRun();
    run.setTemplates(templates);
    await run.provider.delete(run.config, state.volumeId, state);
  };
  const template = ({ url, checksum, keepImage }: ImageInputs, vmId: number) => ({
    vmId,
    image: { url, checksum, keepImage },
  });

  test("keeps the cached file", async () => {
    const inputs = await publish();
    const state = await (await newRun()).create(inputs);
    await remove(state, { noble: template(inputs, 9000) });
    expect(await isThere(state)).toBe(true);
  });

  test("removes it with keepImage: false, and one that is gone already is fine", async () => {
    const inputs = { ...(await publish()), keepImage: false };
    const state = await (await newRun()).create(inputs);
    await remove(state, { noble: template(inputs, 9000) });
    expect(await isThere(state)).toBe(false);
    await remove(state, { noble: template(inputs, 9000) });
  });

  test("of one template leaves the file to another one that is made from it", async () => {
    const inputs = { ...(await publish()), keepImage: false };
    const state = await (await newRun()).create(inputs);
    await remove(state, { other: template(inputs, 9001) });
    expect(await isThere(state)).toBe(true);
  });

  test("of a resource that was replaced leaves the file that the new one has", async () => {
    const inputs = { ...(await publish()), keepImage: false };
    const run = await newRun();
    const state = await run.create(inputs);
    await run.provider.delete(run.config, state.volumeId, state);
    expect(await isThere(state)).toBe(true);
  });
});
