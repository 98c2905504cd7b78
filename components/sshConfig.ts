import type { HostSet } from "./inventory.ts";

/**
 * A client config for OpenSSH (`ssh -F`, or Include in ~/.ssh/config): a host per clone, by its name. Stopped clones are in
 * it too, as they are looked up by name alone; failed ones are not. No two clones of a fleet have one name: the config sees
 * to that.
 */
export function sshConfig(sets: Readonly<Record<string, HostSet>>): string {
  return Object.values(sets)
    .flatMap(({ clones, user: usual, users }) =>
      clones
        .filter(({ status }) => status !== "failed")
        .map(({ name, vmId, address }) => {
          const user = users?.get(vmId) ?? usual;
          const lines = [...(address ? [`  HostName ${address}`] : []), ...(user ? [`  User ${user}`] : [])];
          return [`Host ${name}`, ...lines, ""].join("\n");
        }),
    )
    .join("\n");
}
