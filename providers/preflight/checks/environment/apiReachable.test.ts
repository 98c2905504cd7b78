import { expect, test } from "vitest";
import { ApiError, type ConnectionCode, ConnectionError } from "../../../../proxmox/errors.ts";
import { fakeFacts, fakeFleet, found } from "../../fakeFacts.ts";
import { apiReachable } from "./apiReachable.ts";

const failing = (error: Error) => fakeFacts({ version: () => Promise.reject(error) });

test("an API that answers passes, also when it refuses the login", async () => {
  expect(await found(apiReachable, fakeFacts())).toEqual(["pass https://pve1.example.net:8006 answers"]);
  expect(await found(apiReachable, failing(new ApiError("GET /version", 401, "No ticket")))).toEqual([
    "pass https://pve1.example.net:8006 answers",
  ]);
});

test.each<[ConnectionCode, string, RegExp]>([
  ["dns", "cluster.endpoint", /spelled/],
  ["refused", "cluster.endpoint", /port right/],
  ["unreachable", "cluster.endpoint", /VPN/],
  ["timeout", "cluster.endpoint", /firewall/],
  ["tls", "cluster.tls", /caFile/],
  ["not-pve", "cluster.endpoint", /8006/],
])("no connection (%s) is told at %s", async (code, path, todo) => {
  const [finding] = await apiReachable.run(failing(new ConnectionError(code, `it is ${code}`)));
  expect(finding).toMatchObject({
    status: "fail",
    path,
    message: `found https://pve1.example.net:8006; it is ${code}`,
  });
  expect(finding?.todo?.join()).toMatch(todo);
});

test("that nobody verifies the certificate is said in every run", async () => {
  const facts = fakeFacts({ fleet: fakeFleet({ cluster: { tls: { insecure: true } } }) });
  expect(await found(apiReachable, facts)).toEqual([
    "pass https://pve1.example.net:8006 answers",
    expect.stringMatching(/^warn cluster\.tls\.insecure: found true; nobody verifies/),
  ]);
});

test("another fingerprint than the pinned one is told at the fingerprint", async () => {
  const fingerprint = Array.from({ length: 32 }, () => "AA").join(":");
  const facts = failing(new ConnectionError("tls", "another fingerprint"));
  const [finding] = await apiReachable.run({ ...facts, fleet: fakeFleet({ cluster: { tls: { fingerprint } } }) });
  expect(finding).toMatchObject({ status: "fail", path: "cluster.tls.fingerprint" });
});
