import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import ssh2 from "ssh2";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { keyPair } from "../test/keyPair.ts";
import { probeFolder, type SshTarget } from "./nodeFolder.ts";

const hostKey = keyPair().private;
let home: string;
let server: ssh2.Server | undefined;

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "golden-fleet-ssh-"));
  vi.stubEnv("HOME", home);
});
afterEach(async () => {
  vi.unstubAllEnvs();
  rmSync(home, { recursive: true });
  await new Promise<void>((resolve) => server?.close(() => resolve()));
});

/** An SSH server on loopback. @returns how to reach it, and the end of its next connection */
async function serve(
  connected: (client: ssh2.Connection) => void,
): Promise<{ target: SshTarget; ended: Promise<unknown> }> {
  server = new ssh2.Server({ hostKeys: [hostKey] });
  const ended = new Promise((resolve) => {
    server?.on("connection", (client) => {
      client.on("error", () => undefined);
      client.on("close", () => resolve(undefined));
      connected(client);
    });
  });
  await new Promise<void>((resolve) => server?.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return { target: { address: "127.0.0.1", port, username: "root", folder: "/snippets" }, ended };
}

/** A socket that nobody listens on any more. */
async function staleSocket(path: string): Promise<void> {
  const listen = `require("net").createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, "SIGKILL"))`;
  await once(spawn(process.execPath, ["-e", listen]), "exit");
}

test.each([
  ["has no socket any more", async () => undefined],
  ["was killed", staleSocket],
])("an SSH agent that %s is told, and ends nothing but the look", async (_title, leave) => {
  const { target, ended } = await serve((client) =>
    client.on("authentication", (login) => login.reject(["publickey"])),
  );
  const agent = join(home, "agent.sock");
  await leave(agent);
  await expect(probeFolder({ ...target, agent })).rejects.toMatchObject({
    code: "agent",
    message: `the SSH agent at ${agent}: Failed to connect to agent`,
  });
  await ended;
});

test("a login that is refused is told once", async () => {
  const { target, ended } = await serve((client) =>
    client.on("authentication", (login) => login.reject(["publickey"])),
  );
  await expect(probeFolder({ ...target, password: "wrong" })).rejects.toMatchObject({ code: "auth" });
  await ended;
});

/** SFTP version 3, as the server's first packet. */
const VERSION = Buffer.from([0, 0, 0, 5, 2, 0, 0, 0, 3]);
const NO_LENGTH = Buffer.from([0, 0, 0, 0]);

test("an SFTP server that answers nonsense is told, and ends nothing but the look", async () => {
  const { target, ended } = await serve((client) =>
    client
      .on("authentication", (login) => login.accept())
      .on("session", (acceptSession) =>
        acceptSession().on("subsystem", (acceptSubsystem) => {
          const channel = acceptSubsystem();
          const answers = [VERSION, NO_LENGTH];
          channel.on("data", () => channel.write(answers.shift() ?? NO_LENGTH));
        }),
      ),
  );
  expect(await probeFolder({ ...target, password: "right" })).toMatchObject({
    exists: true,
    notWritable: "No response from server",
  });
  await ended;
});

test("a connection that is dropped in the middle of a question is told", async () => {
  const { target, ended } = await serve((client) =>
    client
      .on("authentication", (login) => login.accept())
      .on("session", (acceptSession) =>
        acceptSession().on("sftp", (acceptSftp) => {
          acceptSftp().on("STAT", () => client.end());
        }),
      ),
  );
  expect(await probeFolder({ ...target, password: "right" })).toMatchObject({ notWritable: "No response from server" });
  await ended;
});
