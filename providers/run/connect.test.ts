import { expect, it } from "vitest";
import { connect } from "./connect.ts";

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

it("all resources share one client, and the config is read once however many there are", () => {
  const config = reader({ cluster, apiToken });
  const client = connect(config);
  const reads = config.reads();
  expect(connect(config)).toBe(client);
  expect(config.reads()).toBe(reads);
  expect(connect(reader({ cluster, apiToken }))).toBe(client);
});

it("another cluster or login has another client", () => {
  const client = connect(reader({ cluster, apiToken }));
  expect(connect(reader({ cluster: { ...cluster, tls: { insecure: true } }, apiToken }))).not.toBe(client);
  expect(connect(reader({ cluster, apiToken: `${apiToken}f` }))).not.toBe(client);
});

it("without a cluster its problems are told, and those of no section that may hold secrets", () => {
  const templates = { noble: { cloudInit: { writeFiles: [{ permissions: "hunter2" }] } } };
  const config = reader({ cluster: { ...cluster, node: "pve 1" }, apiToken, templates });
  expect(() => connect(config)).toThrow(
    /^1 problem in the stack config:\n {2}- cluster\.node: found "pve 1"; [^\n]*\n[^\n]*$/,
  );
});
