import type { PveClient } from "../../proxmox/client.ts";
import type { Permissions } from "../../proxmox/cluster.ts";
import type { Login } from "../../proxmox/login.ts";
import type { EndpointCertificate } from "./certificate.ts";

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
export function logIn(_accepted: EndpointCertificate, _login: Login): Promise<Session> {
  throw new Error("not there yet");
}
