import type { Permissions } from "../../proxmox/cluster.ts";
import { privilegesOn } from "../../proxmox/permissions.ts";

/** A privilege on an ACL path. */
export interface Right {
  path: string;
  privilege: string;
}

/** What it takes to look at users, roles, ACLs and tokens, and to make them. */
const neededToMakeLogins = (realm: string): Right[] => [
  { path: "/access", privilege: "Sys.Audit" },
  { path: `/access/realm/${realm}`, privilege: "Realm.AllocateUser" },
  // Of users and their tokens.
  { path: "/access/groups", privilege: "User.Modify" },
  // Of roles.
  { path: "/access", privilege: "Sys.Modify" },
  // For the ACLs of one VM, datastore or pool less will do; a stack needs others too.
  { path: "/", privilege: "Permissions.Modify" },
];

/**
 * What a login lacks to make a login of its own for the stack.
 *
 * @param who `user@realm`, or the ID of a token
 * @param realm realm of the new user
 */
export function lackedToMakeLogins(who: string, permissions: Permissions, realm = "pve"): Right[] {
  // Everything is open to it, whatever the ACLs say.
  if (who === "root@pam") return [];
  return neededToMakeLogins(realm).filter(({ path, privilege }) => !privilegesOn(permissions, path).has(privilege));
}
