import type { Login } from "../proxmox/login.ts";
import type { Problem } from "./problem.ts";

export type { Login };

/** Reads one value of the stack config by its key without the project's name. */
export type ReadConfig = (key: string) => string | undefined;

const TOKEN = /^([^@!=\s]+@[^@!=\s]+)!([^@!=\s]+)=(\S+)$/;
const USER = /^[^@\s]+@[^@!\s]+$/;

const TOKEN_SHAPE = "expected user@realm!name=secret, for example golden@pve!fleet=1b2c3d4e-…";

/**
 * The login, from the stack config or the environment: `apiToken` (PROXMOX_VE_API_TOKEN), or `username` and `password`
 * (PROXMOX_VE_USERNAME, PROXMOX_VE_PASSWORD). A token wins over a password; the config wins over the environment.
 */
export function readLogin(config: ReadConfig, env: NodeJS.ProcessEnv): Login | Problem {
  const token = config("apiToken") || env.PROXMOX_VE_API_TOKEN;
  const username = config("username") || env.PROXMOX_VE_USERNAME;
  const password = config("password") || env.PROXMOX_VE_PASSWORD;
  if (token && !(!config("apiToken") && config("password"))) {
    const [, user = "", name = "", secret = ""] = TOKEN.exec(token.trim()) ?? [];
    if (secret) return { kind: "token", id: `${user}!${name}`, secret };
    return { path: "apiToken", message: `${whatIsMissing(token)}; ${TOKEN_SHAPE}` };
  }
  if (!username && !password) {
    return {
      path: "apiToken",
      message:
        "missing; set it with `pulumi config set --secret apiToken 'user@realm!name=secret'`, export PROXMOX_VE_API_TOKEN, or set username and password",
    };
  }
  if (!username || !USER.test(username)) {
    return {
      path: "username",
      message: username?.includes("!")
        ? "it has the name of an API token; expected user@realm, for example root@pam, or apiToken"
        : `${username ? "the realm is missing" : "missing"}; expected user@realm, for example root@pam`,
    };
  }
  return password
    ? { kind: "password", username, password }
    : { path: "password", message: "missing; set it with `pulumi config set --secret password`" };
}

/** Says which part of a token is not there, without showing any of it. */
function whatIsMissing(token: string): string {
  if (token.startsWith("PVEAPIToken=")) return 'the token starts with "PVEAPIToken="';
  if (!token.includes("=")) return "the token has no secret";
  const id = token.slice(0, token.indexOf("="));
  if (!id.includes("@")) return "the token has no realm";
  if (!id.includes("!")) return "the token has no name";
  return "the value (secret) is not an API token";
}
