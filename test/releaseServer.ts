// A server that has releases under GitHub's paths, on loopback.

import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  createReadStream,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface TestServer {
  url: string;
  /** Paths, in the order they were asked for. */
  asked: string[];
  stop: () => Promise<void>;
}

export async function serve(answer: RequestListener): Promise<TestServer> {
  const asked: string[] = [];
  const server: Server = createServer((request, response) => {
    asked.push(request.url ?? "");
    answer(request, response);
  });
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  const { port } = server.address() as AddressInfo;
  const stop = () =>
    new Promise<void>((stopped) => {
      server.close(() => stopped());
      server.closeAllConnections();
    });
  return { url: `http://127.0.0.1:${port}`, asked, stop };
}

/** Serves the files of a folder; what is not there is a 404. */
export function serveFolder(folder: string): Promise<TestServer> {
  return serve((request, response) => {
    const file = join(folder, decodeURIComponent(request.url ?? ""));
    const size = statSync(file, { throwIfNoEntry: false })?.size;
    if (size === undefined) return response.writeHead(404).end();
    response.writeHead(200, { "content-length": size });
    createReadStream(file).pipe(response);
  });
}

/** A port at which nothing listens. */
export async function closedPort(): Promise<number> {
  const { url, stop } = await serve(() => {});
  await stop();
  return Number(new URL(url).port);
}

/**
 * Puts a release into a folder: an archive with the files given (name in the archive, file on disk), and the list.
 *
 * @param top the folder in the archive that has them all
 */
export function publish(
  folder: string,
  names: { archive: string; checksums: string },
  files: Record<string, string>,
  top = "",
): void {
  mkdirSync(folder, { recursive: true });
  const content = mkdtempSync(join(tmpdir(), "release-"));
  mkdirSync(join(content, top), { recursive: true });
  for (const [name, file] of Object.entries(files)) symlinkSync(file, join(content, top, name));
  const archive = join(folder, names.archive);
  // Quickly: how small it gets is of no interest.
  const what = top === "" ? Object.keys(files) : [top];
  const { status, stderr } = spawnSync("tar", ["-chf", archive, "-I", "gzip -1", "-C", content, ...what], {
    encoding: "utf8",
  });
  if (status !== 0) throw new Error(stderr);
  rmSync(content, { recursive: true });
  const sum = createHash("sha256").update(readFileSync(archive)).digest("hex");
  writeFileSync(join(folder, names.checksums), `${"0".repeat(64)}  another.tar.gz\n${sum}  ${names.archive}\n`);
}
