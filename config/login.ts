import type { Login } from "../proxmox/login.ts";
import { parseTokenId, parseUserId } from "./formats.ts";
import type { Problem } from "./problem.ts";

export type { Login };

/** Reads one value of the stack config by its key without the project's name. */
export type ReadConfig = (key: string) => string | undefined;

const USER_SHAPE = "expected user@realm, for example root@pam";
const TOKEN_SHAPE = "expected user@realm!name=secret, for example golden@pve!fleet=1b2c3d4e-…";

/**
 * The login, from the stack config or the environment: `apiToken` (PROXMOX_VE_API_TOKEN), or `username` and `password`
 * (PROXMOX_VE_USERNAME, PROXMOX_VE_PASSWORD). A token wins over a password; the config wins over the environment.
 */
export function readLogin(config: ReadConfig, env: NodeJS.ProcessEnv): Login | Problem {
  const token = config("apiToken") || env.PROXMOX_VE_API_TOKEN;
  const username = config("username") || env.PROXMOX_VE_USERNAME;
  const password = config("password") || env.PROXMOX_VE_PASSWORD;
  if (token && (config("apiToken") || !config("password"))) return readToken(token.trim());
  if (!username && !password) {
    return {
      path: "apiToken",
      message:
        "missing; set it with `pulumi config set --secret apiToken 'user@realm!name=secret'`, export PROXMOX_VE_API_TOKEN, or set username and password",
    };
  }
  if (!username || !parseUserId(username)) return { path: "username", message: whatIsWrong(username) };
  return password
    ? { kind: "password", username, password }
    : { path: "password", message: "missing; set it with `pulumi config set --secret password`" };
}

function whatIsWrong(username: string | undefined): string {
  if (!username) return `missing; ${USER_SHAPE}`;
  if (/@[^@]*!/.test(username)) return `it has the name of an API token; ${USER_SHAPE}, or apiToken`;
  return `${username.includes("@") ? "this is no user of PVE" : "the realm is missing"}; ${USER_SHAPE}`;
}

/** The login by a token, or which part of it is wrong, without showing any of it. */
function readToken(token: string): Login | Problem {
  // As PVE: what follows the last "=" is the secret.
  const end = token.lastIndexOf("=");
  const [id, secret] = [token.slice(0, end), token.slice(end + 1)];
  const wrong = (message: string) => ({ path: "apiToken", message: `${message}; ${TOKEN_SHAPE}` });
  if (token.startsWith("PVEAPIToken=")) return wrong('the token starts with "PVEAPIToken="');
  if (end < 0) return wrong("the token has no secret");
  if (!id.includes("@")) return wrong("the token has no realm");
  if (!id.includes("!")) return wrong("the token has no name");
  return parseTokenId(id) && /^\S+$/.test(secret)
    ? { kind: "token", id, secret }
    : wrong("the value (secret) is not an API token");
}
