import grpc from "@grpc/grpc-js";
import engineGrpc from "@pulumi/pulumi/proto/engine_grpc_pb.js";
import type { LogRequest } from "@pulumi/pulumi/proto/engine_pb.js";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

const urn = "urn:pulumi:test::fleet::golden-fleet:CloneSet$pulumi-nodejs:dynamic/golden-fleet:Clone::web-9101";
const address = process.argv[2];
let engine: grpc.Server;
let heard: string[];
/** Resolves when the engine takes messages; until then it leaves them without an answer. */
let takes: Promise<void>;
let progress: typeof import("./progress.ts");

/** An engine that hears what is said. */
async function serve(port = 0): Promise<number> {
  engine = new grpc.Server();
  // Its answer is empty.
  const log = { ...engineGrpc.EngineService.log, responseSerialize: () => Buffer.alloc(0) };
  engine.addService(
    { log },
    {
      log: async ({ request }: grpc.ServerUnaryCall<LogRequest, unknown>, done: grpc.sendUnaryData<unknown>) => {
        heard.push(`${request.getEphemeral() ? "" : "stays: "}${request.getMessage()}`);
        await takes;
        done(null, undefined);
      },
    },
  );
  return new Promise((resolve, reject) =>
    engine.bindAsync(`127.0.0.1:${port}`, grpc.ServerCredentials.createInsecure(), (error, bound) =>
      error ? reject(error) : resolve(bound),
    ),
  );
}

let port: number;
beforeEach(async () => {
  heard = [];
  takes = Promise.resolve();
  port = await serve();
  process.argv[2] = `127.0.0.1:${port}`;
  vi.resetModules();
  progress = await import("./progress.ts");
});
afterEach(() => {
  vi.useRealTimers();
  process.argv[2] = address as string;
  engine.forceShutdown();
});

const heardSoFar = (messages: unknown) => vi.waitFor(() => expect(heard).toEqual(messages), { timeout: 10_000 });

describe("what is said to the user", () => {
  it("arrives in order", async () => {
    const { report, warn, info } = progress.messagesOf(urn);
    report("cloning");
    warn("the node does not answer");
    report("cloning again");
    info("cloned");
    await heardSoFar(["cloning", "stays: the node does not answer", "cloning again", "stays: cloned"]);
  });

  it("does not pile up while the engine takes nothing; what stays on the screen is kept", async () => {
    let take = () => {};
    takes = new Promise((resolve) => {
      take = resolve;
    });
    const { report, warn } = progress.messagesOf(urn);
    for (let n = 0; n < 5000; n++) report(`step ${n} of many`);
    warn("the node does not answer");
    take();
    await vi.waitFor(() => expect(heard).toContain("stays: the node does not answer"), { timeout: 10_000 });
    expect(heard).toHaveLength(1001);
    report("going on");
    await vi.waitFor(() => expect(heard.at(-1)).toBe("going on"), { timeout: 10_000 });
  });

  it("to an engine that is gone is lost, and holds nothing up", async () => {
    const { report } = progress.messagesOf(urn);
    report("cloning");
    await heardSoFar(["cloning"]);
    engine.forceShutdown();
    for (let n = 0; n < 100; n++) report(`step ${n} of many`);
    await serve(port);
    await vi.waitFor(
      () => {
        report("still there");
        expect(heard.at(-1)).toBe("still there");
      },
      { timeout: 10_000 },
    );
  });
});

describe("how far something is", () => {
  beforeEach(() => void vi.useFakeTimers({ toFake: ["performance"] }));

  it("is said at first, every ten seconds, and once when it is done", async () => {
    const { progress: howFar } = progress.messagesOf(urn);
    for (const percent of [1, 2, 3]) howFar("cloning VM 9000 to 9101", percent);
    vi.advanceTimersByTime(9_999);
    howFar("cloning VM 9000 to 9101", 40);
    vi.advanceTimersByTime(1);
    howFar("cloning VM 9000 to 9101", 41);
    for (const percent of [42, 99, 100, 100]) howFar("cloning VM 9000 to 9101", percent);
    await heardSoFar([1, 41, 100].map((percent) => `cloning VM 9000 to 9101: ${percent}%`));
  });

  it("is said of each thing, and of each resource", async () => {
    const [one, other] = [progress.messagesOf(urn), progress.messagesOf(`${urn}9`)];
    one.progress("cloning VM 9000 to 9101", 1);
    other.progress("cloning VM 9000 to 9101", 1);
    one.progress("migrating web-1 to pve2", 1);
    one.progress("migrating web-1 to pve2", 2);
    const cloning = "cloning VM 9000 to 9101: 1%";
    await heardSoFar([cloning, cloning, "migrating web-1 to pve2: 1%"]);
  });

  it.each([
    ["a download of a known size", ["downloading noble.qcow2: 3%", "downloading noble.qcow2: 4%"]],
    ["a download of an unknown size", ["downloading noble.qcow2: 31 MiB", "downloading noble.qcow2: 32 MiB"]],
    ["a guest that is waited for", ["waiting for an address, 0 s of 300 s", "waiting for an address, 1 s of 300 s"]],
  ])("also in other words: %s", async (_title, [first = "", second = ""]) => {
    const report = progress.reporter(urn);
    report(first);
    report(second);
    report("done");
    await heardSoFar([first, "done"]);
  });

  it("hides nothing else: the tries of a request are all told", async () => {
    const report = progress.reporter(urn);
    const tries = ["clone failed; try 2 of 4", "clone failed; try 3 of 4", "clone failed; try 4 of 4"];
    tries.forEach(report);
    await heardSoFar(tries);
  });
});
