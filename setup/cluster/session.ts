import { parseTokenId, parseUserId } from "../../config/formats.ts";
import { PveClient } from "../../proxmox/client.ts";
import { type Permissions, readPermissions, readVersion } from "../../proxmox/cluster.ts";
import { ApiError, SecondFactorError } from "../../proxmox/errors.ts";
import type { Login } from "../../proxmox/login.ts";
import { type EndpointCertificate, explainConnection, tlsFor } from "./certificate.ts";
import { SetupError } from "./error.ts";
import { lackedToMakeLogins } from "./loginRights.ts";

/** A login that works. */
export interface Session {
  client: PveClient;
  /** `root@pam`, or `golden@pve!fleet` of a token. */
  who: string;
  version: string;
  permissions: Permissions;
  /** May make users, roles, ACLs and tokens. */
  canMakeLogins: boolean;
}

/**
 * Logs in, and looks at what the login may do. The password is kept in memory for as long as the client is, and nowhere else.
 *
 * @throws SetupError `login` for a wrong password or token, with what to look at; `second-factor` with the ways around it;
 * `certificate-changed` if the endpoint shows another certificate than the accepted one
 * @throws ConnectionError if the endpoint does not answer
 */
export async function logIn(accepted: EndpointCertificate, login: Login): Promise<Session> {
  const who = login.kind === "token" ? login.id : login.username;
  checkShape(login);
  const client = new PveClient({ endpoint: accepted.endpoint, tls: tlsFor(accepted), login });
  try {
    const { version } = await readVersion(client);
    const permissions = await readPermissions(client);
    const canMakeLogins = lackedToMakeLogins(who, permissions).length === 0;
    return { client, who, version, permissions, canMakeLogins };
  } catch (error) {
    await client.close();
    throw await explained(error, accepted, login);
  }
}

function checkShape(login: Login): void {
  if (login.kind === "password" && !parseUserId(login.username)) {
    const example = /^[^\s@!:/]+$/.test(login.username) ? `${login.username}@pam` : "root@pam";
    throw new SetupError("login", `found the user "${login.username}"; expected user@realm, for example ${example}`);
  }
  if (login.kind === "token" && !parseTokenId(login.id)) {
    // What stands in the place of the name may be the secret.
    throw new SetupError(
      "login",
      "this is no name of an API token; expected user@realm!name, for example golden@pve!fleet",
    );
  }
}

async function explained(error: unknown, accepted: EndpointCertificate, login: Login): Promise<unknown> {
  const options = { cause: error };
  if (error instanceof SecondFactorError && login.kind === "password") {
    const text = `${login.username} has a second factor, and the API asks for it at each login: a program cannot give it`;
    const todo = ["Give an API token, which needs none.", "Or run the printed pveum lines on a node, as root."];
    return new SetupError("second-factor", text, todo, options);
  }
  if (!(error instanceof ApiError) || error.status !== 401) return explainConnection(error, accepted);
  if (login.kind === "token") {
    const text = `PVE refuses the token ${login.id}: ${error.answer}`;
    const user = parseTokenId(login.id)?.user;
    const todo = [
      `Look whether it exists, and has not ended: pveum user token list ${user}`,
      "The secret is shown once, when the token is made; if it is lost, make another token.",
    ];
    return new SetupError("login", text, todo, options);
  }
  const text = `PVE refuses ${login.username} with this password: ${error.answer}`;
  const pam = login.username.endsWith("@pam");
  const todo = [
    pam
      ? "It is the password of the Linux user on the node; users of PVE's own realm end in @pve."
      : "Users of the node's Linux end in @pam, those of PVE's own realm in @pve.",
    "PVE says the same of a user that does not exist, or is disabled.",
  ];
  return new SetupError("login", text, todo, options);
}
