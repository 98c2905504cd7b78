import type { FirstBoot } from "../cloudInit.ts";
import { type CloneSet, type CloneSource, type Fleet, sourcesIn } from "../fleet.ts";
import { found, type Problem } from "../problem.ts";
import { publicKeys } from "./keys.ts";

/** Characters of keys that go into a guest at once: PVE gives a command so many on its standard input. */
const MOST_CHARACTERS = 64 * 1024;
/** An end to know them by. */
const END = 4;

/** What a byte takes on the way: one that is no plain character goes as `\0ooo`. */
const widthOf = (byte: number): number => (byte >= 32 && byte < 127 && byte !== 92 ? 1 : 5);
const lengthOf = (keys: readonly string[]): number =>
  keys.reduce((sum, key) => [...Buffer.from(key)].reduce((all, byte) => all + widthOf(byte), sum + 1), END);

/** Keys of cloud-config that give a guest at its first boot other keys, or another user, than the fields do. */
const OTHER_KEYS = {
  userData: ["user", "users", "ssh_authorized_keys", "ssh_import_id"],
  vendor: ["ssh_import_id"],
} as const;

/** Keys can be changed only in guests that have a user, keys, an agent and a POSIX shell, and that run. */
export const rotatable = ({ cloneSets, ...all }: Pick<Fleet, "templates" | "existing" | "cloneSets">): Problem[] => {
  const sources = sourcesIn(all);
  return Object.entries(cloneSets).flatMap(([key, set]) => {
    const template = sources[set.template];
    if (!set.rotateKeys || !template) return [];
    const logins = firstBootsOf(set).flatMap((layers) => loginReasons([template.cloudInit, ...layers], set));
    return [...new Set([...guestReasons(set, template), ...logins])].map((reason) => ({
      path: `cloneSets.${key}.rotateKeys`,
      message: `found ${found(true)}${reason}`,
    }));
  });
};

/** What the set and its clones say of first boots over the template's, each kind once. */
function firstBootsOf({ cloudInit, clones }: CloneSet): (readonly FirstBoot[])[] {
  if (clones.length === 0) return [cloudInit ? [cloudInit] : []];
  return [...new Map(clones.map(({ cloudInit: layers = [] }) => [layers.at(-1), layers])).values()];
}

function guestReasons({ start, template: key }: CloneSet, { osType, agent }: CloneSource): string[] {
  const at = `templates.${key}`;
  return [
    ...(start
      ? []
      : [" with start: false, and a guest that is off takes no keys; expected start: true, or false here"]),
    ...(agent
      ? []
      : [`, but ${at}.agent is false, and keys come by the guest agent; expected agent: true there, or false here`]),
    ...(/^w/.test(osType)
      ? [`, but ${at}.osType is "${osType}", and keys are set by a POSIX shell; expected a Linux guest, or false here`]
      : []),
  ];
}

/** @param layers the template's first-boot configuration, and those over it */
function loginReasons(layers: readonly FirstBoot[], { template: key }: CloneSet): string[] {
  const at = `templates.${key}.cloudInit, or the set's,`;
  // The last one that says who may log in says it alone.
  const whose = layers.findLast((one) => one.sshPublicKeyFile !== undefined || one.sshPublicKeys !== undefined) ?? {};
  const { keys, problems } = publicKeys(whose, "");
  const length = lengthOf(keys);
  const raw = layers.some((layer) => layer.raw !== undefined) ? ["raw"] : [];
  const inParts = (["userData", "vendor"] as const).flatMap((part) =>
    OTHER_KEYS[part].filter((one) => layers.some((layer) => one in (layer[part] ?? {}))).map((one) => `${part}.${one}`),
  );
  return [
    ...(layers.some(({ user }) => user !== undefined)
      ? []
      : [`, but ${at} has no user; expected the name of the user whose keys are set, or false here`]),
    ...(keys.length === 0 && problems.length === 0
      ? [
          `, but ${at} has no key, and nobody could log in any more; expected sshPublicKeys or sshPublicKeyFile there, or false here`,
        ]
      : []),
    ...(length > MOST_CHARACTERS
      ? [
          `, but the ${keys.length} keys of ${at} take ${length} characters; expected at most ${MOST_CHARACTERS}, or false here`,
        ]
      : []),
    ...[...raw, ...inParts].map(
      (one) =>
        `, but ${one} in cloudInit gives guests other keys at their first boot; expected user and sshPublicKeys instead of it`,
    ),
  ];
}
