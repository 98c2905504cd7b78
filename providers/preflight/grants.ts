import { parseTokenId } from "../../config/formats.ts";
import type { Login } from "../../config/login.ts";
import { list } from "../../config/text.ts";
import type { Permissions } from "../../proxmox/cluster.ts";
import { privilegesOn } from "../../proxmox/permissions.ts";
import type { Requirement } from "./requirements.ts";

/** Where the privileges that a config needs are best granted, and how. Nothing here asks the cluster. */

/** A role of its own for an ACL path. */
export interface Grant {
  path: string;
  role: string;
  /** All that is needed there, sorted. */
  privileges: string[];
  /** Whether it holds for the paths below as well. */
  propagate: boolean;
}

/** Whether a requirement is met. */
export const holds = (permissions: Permissions, { path, privilege, or = [] }: Requirement): boolean =>
  privilegesOn(permissions, path).has(privilege) ||
  or.some((other) => other.privileges.every((one) => privilegesOn(permissions, other.path).has(one)));

/** `GoldenFleetStorageLocal` for `/storage/local` */
export function roleName(path: string): string {
  const words = path.split(/[^A-Za-z0-9]+/).filter(Boolean);
  return `GoldenFleet${words.map((word) => word.charAt(0).toUpperCase() + word.slice(1)).join("")}`;
}

/**
 * The place to grant a privilege at. Where a path has ACLs of its own, one above it would do nothing; what comes by a pool is
 * added to them.
 */
export const grantPath =
  (hasAcl: (path: string) => boolean) =>
  ({ path, grant }: Requirement): string =>
    hasAcl(path) && !grant.startsWith("/pool/") ? path : grant;

/** The grants for some requirements: one for each path, for a role of its own there hides what is inherited from above. */
export function grantsOf(needs: readonly Requirement[], hasAcl: (path: string) => boolean = () => false): Grant[] {
  const groups = Map.groupBy(needs, grantPath(hasAcl));
  return [...groups]
    .map(([path, here]) => ({
      path,
      role: roleName(path),
      privileges: [...new Set(here.map(({ privilege }) => privilege))].sort(),
      propagate: path !== "/",
    }))
    .sort((a, b) => (a.path < b.path ? -1 : 1));
}

/** Who gets an ACL: a token with privilege separation has what both it and its user have, one without what its user has. */
function receivers(login: Login): string {
  if (login.kind === "password") return `--users ${login.username}`;
  const user = parseTokenId(login.id)?.user;
  return user === "root@pam" ? `--tokens '${login.id}'` : `--users ${user} --tokens '${login.id}'`;
}

/** The line that makes a role, or adds to it what is missing. */
export const roleLine = ({ role, privileges }: Pick<Grant, "role" | "privileges">, exists: boolean): string => {
  const names = privileges.join(" ");
  return exists
    ? `pveum role modify ${role} --append 1 --privs "${names}"`
    : `pveum role add ${role} --privs "${names}"`;
};

/** @param to for example `--users golden@pve` */
export const aclLine = ({ path, role, propagate }: Omit<Grant, "privileges">, to: string): string =>
  `pveum acl modify ${path} --roles ${role} ${to}${propagate ? "" : " --propagate 0"}`;

/** The lines that grant everything that is needed on a path to a login that exists. */
export function grantLines(grant: Grant, login: Login, roles: readonly string[]): string[] {
  return [roleLine(grant, roles.includes(grant.role)), aclLine(grant, receivers(login))];
}

/** What a login lacks on a path. */
export interface Missing {
  /** All that is needed there. */
  grant: Grant;
  /** What of it is missing. */
  privileges: string[];
  /** The paths that PVE looks at. */
  asked: string[];
  /** What cannot be told without it, if that is all. */
  optional?: string;
}

/** What a login lacks of some requirements, by the path where it is best granted. */
export function missingOf(needs: readonly Requirement[], permissions: Permissions): Missing[] {
  const hasAcl = (path: string) => permissions[path] !== undefined;
  const at = grantPath(hasAcl);
  const missing = needs.filter((one) => !holds(permissions, one));
  return grantsOf(needs, hasAcl).flatMap((grant) => {
    const here = missing.filter((one) => at(one) === grant.path);
    if (here.length === 0) return [];
    const privileges = [...new Set(here.map(({ privilege }) => privilege))].sort();
    const asked = [...new Set(here.map(({ path }) => path))];
    const untold = here.map(({ optional }) => optional);
    const isOptional = untold.every((one) => one !== undefined);
    return [{ grant, privileges, asked, ...(isOptional && { optional: list([...new Set(untold)]) }) }];
  });
}
