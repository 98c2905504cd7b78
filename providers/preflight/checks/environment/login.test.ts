import { expect, test } from "vitest";
import { ApiError, ConnectionError } from "../../../../proxmox/errors.ts";
import { fakeFacts } from "../../fakeFacts.ts";
import { login } from "./login.ts";

const refused = (answer: string, facts = fakeFacts()) => ({
  ...facts,
  version: () => Promise.reject(new ApiError("GET /version", 401, answer)),
});

test("a refused token is named, its secret is not", async () => {
  const [finding] = await login.run(refused("Authentication failed!"));
  expect(finding).toMatchObject({ status: "fail", path: "apiToken" });
  expect(finding?.message).toContain("fleet@pve!golden");
  expect(finding?.message).toContain("secret is wrong, it has expired, or there is no such token");
  expect(JSON.stringify(finding?.todo)).toContain("pveum user token list fleet@pve");
});

test("the user of a token, or of a password, may have an @ in its name", async () => {
  const token = { kind: "token", id: "jane@corp.com@idp!tok", secret: "s" } as const;
  const [byToken] = await login.run(refused("Authentication failed!", fakeFacts({ login: token })));
  expect(byToken?.todo).toContainEqual(expect.stringMatching(/pveum user token list jane@corp\.com@idp$/));
  expect(byToken?.todo).toContainEqual(expect.stringContaining("pveum user token remove jane@corp.com@idp tok &&"));
  const password = { kind: "password", username: "jane@corp.com@idp", password: "nope" } as const;
  const [byPassword] = await login.run(refused("authentication failure", fakeFacts({ login: password })));
  expect(byPassword?.todo).toEqual([expect.stringContaining('Is realm "idp" the right one for jane@corp.com?')]);
});

test("where PVE says that the token has expired, nothing else is guessed", async () => {
  const [finding] = await login.run(refused("token 'golden' access expired"));
  expect(finding?.message).toMatch(/: it has expired$/);
});

test("a refused password is told at the password", async () => {
  const facts = fakeFacts({ login: { kind: "password", username: "root@pam", password: "nope" } });
  const [finding] = await login.run(refused("authentication failure", facts));
  expect(finding).toMatchObject({ status: "fail", path: "password" });
  expect(JSON.stringify(finding)).not.toContain("nope");
});

test("what api-reachable reports is left to it", async () => {
  const error = new ConnectionError("refused", "nothing listens there");
  await expect(login.run(fakeFacts({ version: () => Promise.reject(error) }))).rejects.toBe(error);
});
