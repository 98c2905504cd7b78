import { mkdtempSync, readdirSync, readFileSync, truncateSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, onTestFinished, test, vi } from "vitest";
import { closedPort, publish, serve, serveFolder } from "../test/releaseServer.ts";
import { makeFolder } from "./build.ts";
import { download, type Patience } from "./download.ts";
import { plainProgress } from "./progress.ts";
import type { Release } from "./releases.ts";

const names = { title: "the thing 1.2.3", archive: "thing.tar.gz", checksums: "sums.txt", strip: 1 };
const never = new AbortController().signal;

function published(): { folder: string; archive: string; sums: string } {
  const folder = mkdtempSync(join(tmpdir(), "published-"));
  const file = join(folder, "tool");
  writeFileSync(file, "the tool");
  publish(folder, names, { tool: file }, "top");
  return { folder, archive: join(folder, names.archive), sums: join(folder, names.checksums) };
}

/** Downloads as the toolchain does, to a folder that is either complete or not there. */
async function get(url: string, { signal = never, patience }: { signal?: AbortSignal; patience?: Patience } = {}) {
  const store = mkdtempSync(join(tmpdir(), "store-"));
  const lines: string[] = [];
  const release: Release = { ...names, url };
  const progress = plainProgress((line) => lines.push(line), 0);
  const done = makeFolder(join(store, "thing"), join(store, "unfinished"), (folder) =>
    download(release, folder, progress, signal, patience),
  );
  const refused = await done.then(
    () => undefined,
    (error: Error) => error,
  );
  return { store, lines, refused };
}

async function running<T extends { stop: () => Promise<void> }>(server: Promise<T>): Promise<T> {
  const started = await server;
  onTestFinished(() => started.stop());
  return started;
}

afterEach(() => vi.unstubAllEnvs());

test("what was published is unpacked, and nothing else is kept; size, progress and end are told", async () => {
  const server = await running(serveFolder(published().folder));
  const { store, lines, refused } = await get(server.url);
  expect(refused).toBeUndefined();
  expect(readdirSync(store)).toEqual(["thing"]);
  expect(readdirSync(join(store, "thing"))).toEqual(["tool"]);
  expect(readFileSync(join(store, "thing", "tool"), "utf8")).toBe("the tool");
  expect(lines[0]).toBe(`downloading the thing 1.2.3 (0 MB) from ${server.url}`);
  expect(lines).toContainEqual(expect.stringMatching(/^the thing 1\.2\.3: 0 of 0 MB in /));
  expect(lines.at(-1)).toMatch(/^the thing 1\.2\.3: downloaded and verified in /);
});

describe("refused, with the reason, and not kept", () => {
  async function expectRefused(attempt: ReturnType<typeof get>, reason: string | RegExp) {
    const { store, refused } = await attempt;
    expect(refused?.name).toBe("DownloadError");
    expect(refused?.message).toMatch(/^the thing 1\.2\.3 cannot be downloaded from http:/);
    expect(refused?.message).toMatch(reason);
    expect(readdirSync(store)).toEqual([]);
  }

  test("an archive that was changed", async () => {
    const { folder, archive } = published();
    const bytes = readFileSync(archive);
    bytes.writeUInt8(bytes.readUInt8(20) ^ 1, 20);
    writeFileSync(archive, bytes);
    const { url } = await running(serveFolder(folder));
    await expectRefused(get(url), /not what was published: its SHA-256 is [0-9a-f]{64}, the list says [0-9a-f]{64}$/);
  });

  test("one that is shorter than it was", async () => {
    const { folder, archive } = published();
    truncateSync(archive, 40);
    const { url } = await running(serveFolder(folder));
    await expectRefused(get(url), "not what was published");
  });

  test("one whose connection breaks", async () => {
    const { sums } = published();
    const { url } = await running(
      serve((request, response) => {
        if (request.url?.endsWith(names.checksums)) return response.end(readFileSync(sums));
        response.writeHead(200, { "content-length": 1000 });
        response.write("half", () => response.destroy());
      }),
    );
    await expectRefused(get(url), "other side closed");
  });

  test("one that is not on the list", async () => {
    const { folder, sums } = published();
    writeFileSync(sums, `${"0".repeat(64)}  another.tar.gz\n`);
    const { url, asked } = await running(serveFolder(folder));
    await expectRefused(get(url), "sums.txt has no SHA-256 of thing.tar.gz");
    expect(asked).toEqual(["/sums.txt"]);
  });

  test("a release that is not there", async () => {
    const { url } = await running(serveFolder(mkdtempSync(join(tmpdir(), "empty-"))));
    await expectRefused(get(url), "sums.txt: HTTP status 404");
  });

  test("nothing that listens", async () => {
    const port = await closedPort();
    await expectRefused(get(`http://127.0.0.1:${port}`), `connect ECONNREFUSED 127.0.0.1:${port}`);
  });

  test("a host that nobody knows", async () => {
    await expectRefused(get("http://releases.invalid"), /ENOTFOUND|EAI_AGAIN/);
  });

  test("a server that never answers", async () => {
    const { url } = await running(serve(() => {}));
    await expectRefused(get(url, { patience: { answer: 50, more: 60_000 } }), "no answer for 0s");
  });

  test("one that falls silent", async () => {
    const { sums } = published();
    const { url } = await running(
      serve((request, response) => {
        if (request.url?.endsWith(names.checksums)) return response.end(readFileSync(sums));
        response.writeHead(200).write("half");
      }),
    );
    await expectRefused(get(url, { patience: { answer: 60_000, more: 50 } }), "no answer for 0s");
  });
});

test("Ctrl-C in the middle ends it at once and leaves nothing", async () => {
  const { sums } = published();
  const interrupted = new AbortController();
  const { url } = await running(
    serve((request, response) => {
      if (request.url?.endsWith(names.checksums)) return response.end(readFileSync(sums));
      response.writeHead(200).write("half", () => interrupted.abort());
    }),
  );
  const { store, refused } = await get(url, { signal: interrupted.signal });
  expect(refused?.message).toBe("downloading the thing 1.2.3: interrupted");
  expect(readdirSync(store)).toEqual([]);
});

test("the way leads through the proxy of the environment", async () => {
  const { url } = await running(serveFolder(published().folder));
  const through: string[] = [];
  // It alone knows the name.
  const proxy = createServer((request, response) => {
    through.push(request.url ?? "");
    fetch(`${url}${new URL(request.url ?? "").pathname}`).then(async (answer) =>
      response.end(Buffer.from(await answer.arrayBuffer())),
    );
  });
  proxy.on("connect", (request, client) => {
    through.push(request.url ?? "");
    const server = connect(Number(new URL(url).port), "127.0.0.1", () => {
      client.write("HTTP/1.1 200 OK\r\n\r\n");
      client.pipe(server).pipe(client);
    });
  });
  await new Promise<void>((listening) => proxy.listen(0, "127.0.0.1", listening));
  onTestFinished(() => {
    proxy.close();
    proxy.closeAllConnections();
  });
  vi.stubEnv("http_proxy", `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`);
  const { refused } = await get("http://releases.invalid");
  expect(refused).toBeUndefined();
  expect(through[0]).toContain("releases.invalid");
});
