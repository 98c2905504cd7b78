// The language host on its own, asked as the engine asks it.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import grpc from "@grpc/grpc-js";
import services from "@pulumi/pulumi/proto/language_grpc_pb.js";
import language from "@pulumi/pulumi/proto/language_pb.js";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ensureToolchain } from "../install.ts";

const buildMs = 30 * 60_000;
let host: ReturnType<typeof spawn>;
let client: services.LanguageRuntimeClient;

beforeAll(async () => {
  const { pulumi } = await ensureToolchain({ log: console.log });
  host = spawn(join(dirname(pulumi), "pulumi-language-nodejs"), ["127.0.0.1:1"], {
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
  const program = mkdtempSync(join(tmpdir(), "program-"));
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
    ".": { dependencies: { plain: "1", "@org/pulumi-thing": "^2.0.0" }, devDependencies: { missing: "1" } },
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
