import { expect, it } from "vitest";
import { clientOf, runOf } from "./connect.ts";
import { connectionOf } from "./connection.ts";

const reader = (values: Record<string, unknown>) => {
  let read = 0;
  return {
    get: (key: string) => {
      read++;
      const value = values[key];
      return typeof value === "object" ? JSON.stringify(value) : (value as string | undefined);
    },
    reads: () => read,
  };
};
const cluster = { endpoint: "https://pve1.example.net:8006", node: "pve1" };
const apiToken = "golden@pve!fleet=1b2c3d4e";

it("all resources share one run and its client, and the config is read once however many there are", () => {
  const config = reader({ cluster, apiToken });
  const run = runOf(config);
  const reads = config.reads();
  expect(runOf(config)).toBe(run);
  expect(config.reads()).toBe(reads);
  // Each kind of resource has a provider of its own, and that a config of its own.
  expect(runOf(reader({ cluster, apiToken }))).toBe(run);
});

it("another cluster or login has another run and another client", () => {
  const run = runOf(reader({ cluster, apiToken }));
  for (const other of [
    reader({ cluster: { ...cluster, tls: { insecure: true } }, apiToken }),
    reader({ cluster, apiToken: `${apiToken}f` }),
  ]) {
    expect(runOf(other)).not.toBe(run);
    expect(runOf(other).client).not.toBe(run.client);
  }
});

it("what asks PVE without a run shares the client too: there is one login", () => {
  const { client, cluster: read } = runOf(reader({ cluster, apiToken }));
  const { login } = client.connection;
  expect(clientOf(connectionOf({ cluster: read, login }))).toBe(client);
});

it("without a cluster its problems are told, and those of no section that may hold secrets", () => {
  const templates = { noble: { cloudInit: { writeFiles: [{ permissions: "hunter2" }] } } };
  const config = reader({ cluster: { ...cluster, node: "pve 1" }, apiToken, templates });
  expect(() => runOf(config)).toThrow(
    /^1 problem in the stack config:\n {2}- cluster\.node: found "pve 1"; [^\n]*\n[^\n]*$/,
  );
});
