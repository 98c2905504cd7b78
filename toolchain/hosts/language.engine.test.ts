// The language host on its own, asked as the engine asks it.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { promisify } from "node:util";
import grpc from "@grpc/grpc-js";
import services from "@pulumi/pulumi/proto/language_grpc_pb.js";
import language from "@pulumi/pulumi/proto/language_pb.js";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { ensureToolchain } from "../install.ts";

const buildMs = 30 * 60_000;
let executable: string;
let host: ReturnType<typeof spawn>;
let client: services.LanguageRuntimeClient;

beforeAll(async () => {
  const { pulumi } = await ensureToolchain({ log: console.log });
  executable = join(dirname(pulumi), "pulumi-language-nodejs");
  host = spawn(executable, ["127.0.0.1:1"], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [port] = (await once(host.stdout as NonNullable<typeof host.stdout>, "data")) as [Buffer];
  const address = `127.0.0.1:${String(port).trim()}`;
  client = new services.LanguageRuntimeClient(address, grpc.credentials.createInsecure());
}, buildMs);

afterAll(() => {
  client.close();
  host.kill();
});

function programWith(manifests: Record<string, unknown>): language.ProgramInfo {
  const program = mkdtempSync(join(tmpdir(), "program [1]-"));
  for (const [folder, manifest] of Object.entries(manifests)) {
    mkdirSync(join(program, folder), { recursive: true });
    const text = typeof manifest === "string" ? manifest : JSON.stringify(manifest);
    writeFileSync(join(program, folder, "package.json"), text);
  }
  mkdirSync(join(program, "sub"));
  return new language.ProgramInfo().setRootDirectory(program).setProgramDirectory(join(program, "sub"));
}

const program = () =>
  programWith({
    ".": { dependencies: { plain: "1", "@org/pulumi-thing": "^2.0.0" }, devDependencies: { missing: "1", plain: "1" } },
    "node_modules/plain": { name: "plain", version: "1.2.3" },
    "node_modules/broken": "{",
    "node_modules/@pulumi/pulumi": { name: "@pulumi/pulumi", version: "3.0.0", pulumi: { comment: "no plugin" } },
    "node_modules/@pulumi/other": { name: "@pulumi/other", version: "4.0.0", pulumi: { resource: true } },
    "node_modules/@org/pulumi-thing": {
      name: "@org/pulumi-thing",
      version: "2.1.0",
      pulumi: { resource: true, name: "thing", version: "v2.2.0", server: "github://example" },
    },
  });

test("packages that say that they have a resource plugin are found, from a folder below as well", async () => {
  const ask = promisify(client.getRequiredPackages.bind(client)) as (
    request: language.GetRequiredPackagesRequest,
  ) => Promise<language.GetRequiredPackagesResponse>;
  const found = await ask(new language.GetRequiredPackagesRequest().setInfo(program()));
  expect(found.toObject().packagesList).toEqual([
    expect.objectContaining({ kind: "resource", name: "thing", version: "2.2.0", server: "github://example" }),
    expect.objectContaining({ kind: "resource", name: "other", version: "4.0.0", server: "" }),
  ]);
});

test("dependencies come with the version that is installed", async () => {
  const ask = promisify(client.getProgramDependencies.bind(client)) as (
    request: language.GetProgramDependenciesRequest,
  ) => Promise<language.GetProgramDependenciesResponse>;
  const found = await ask(new language.GetProgramDependenciesRequest().setInfo(program()));
  expect(found.toObject().dependenciesList).toEqual([
    { name: "@org/pulumi-thing", version: "2.1.0" },
    { name: "plain", version: "1.2.3" },
  ]);
});

describe("a program that runs", () => {
  /** One that tells its process id, and goes on until it is stopped. */
  function endless(): { request: language.RunRequest; pid: () => Promise<number> } {
    const info = program();
    const folder = info.getRootDirectory();
    mkdirSync(join(folder, "node_modules/@pulumi/pulumi/cmd"));
    const text =
      'require("fs").writeFileSync("pid.new", String(process.pid)); require("fs").renameSync("pid.new", "pid"); setInterval(() => {}, 1e6)';
    writeFileSync(join(folder, "node_modules/@pulumi/pulumi/cmd/run.js"), text);
    const request = new language.RunRequest().setInfo(info).setPwd(folder);
    const pid = () =>
      vi.waitFor(() => Number(readFileSync(join(folder, "pid"), "utf8")), { timeout: 30_000, interval: 20 });
    return { request, pid };
  }

  const isAlive = (pid: number): boolean => {
    try {
      return process.kill(pid, 0);
    } catch {
      return false;
    }
  };

  const ended = (pid: number) => vi.waitFor(() => expect(isAlive(pid)).toBe(false), { timeout: 30_000, interval: 20 });

  test("ends when the engine cancels, and the engine is told how", async () => {
    const { request, pid } = endless();
    const response = new Promise<language.RunResponse>((resolve, reject) =>
      client.run(request, (error, answer) => (error ? reject(error) : resolve(answer))),
    );
    const started = await pid();
    const nothing = () => Buffer.alloc(0);
    await new Promise((resolve) =>
      client.makeUnaryRequest("/pulumirpc.LanguageRuntime/Cancel", nothing, nothing, undefined, resolve),
    );
    expect((await response).getError()).toBe("the program ended with signal: terminated");
    expect(isAlive(started)).toBe(false);
  });

  test("ends, as the host does, when the engine is killed", async () => {
    const start = `
      const host = require("child_process").spawn(${JSON.stringify(executable)}, ["127.0.0.1:1"], { stdio: "pipe" });
      console.log(host.pid);
      host.stdout.pipe(process.stdout);`;
    const engine = spawn(process.execPath, ["-e", start], { stdio: ["ignore", "pipe", "inherit"] });
    const lines = createInterface(engine.stdout)[Symbol.asyncIterator]();
    const read = async () => Number((await lines.next()).value);
    const hostPid = await read();
    const port = await read();
    const own = new services.LanguageRuntimeClient(`127.0.0.1:${port}`, grpc.credentials.createInsecure());
    const { request, pid } = endless();
    own.run(request, () => {});
    const started = await pid();
    engine.kill("SIGKILL");
    await ended(hostPid);
    await ended(started);
    own.close();
  });
});
