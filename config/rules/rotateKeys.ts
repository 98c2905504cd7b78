import type { CloneSet, Fleet } from "../fleet.ts";
import { found, type Problem } from "../problem.ts";
import type { Template } from "../template.ts";
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
export const rotatable = ({ templates, cloneSets }: Pick<Fleet, "templates" | "cloneSets">): Problem[] =>
  Object.entries(cloneSets).flatMap(([key, set]) => {
    const template = templates[set.template];
    if (!set.rotateKeys || !template) return [];
    return reasons(set, template).map((reason) => ({
      path: `cloneSets.${key}.rotateKeys`,
      message: `found ${found(true)}${reason}`,
    }));
  });

function reasons({ start, template: key }: CloneSet, { cloudInit, osType, agent }: Template): string[] {
  const at = `templates.${key}`;
  const { user } = cloudInit;
  const { keys, problems } = publicKeys(cloudInit, at);
  const length = lengthOf(keys);
  const others = (["userData", "vendor"] as const).flatMap((part) =>
    OTHER_KEYS[part].filter((one) => one in cloudInit[part]).map((one) => `${at}.cloudInit.${part}.${one}`),
  );
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
    ...(user === undefined
      ? [`, but ${at}.cloudInit.user is missing; expected the name of the user whose keys are set, or false here`]
      : []),
    ...(keys.length === 0 && problems.length === 0
      ? [
          `, but ${at}.cloudInit has no key, and nobody could log in any more; expected sshPublicKeys or sshPublicKeyFile there, or false here`,
        ]
      : []),
    ...(length > MOST_CHARACTERS
      ? [
          `, but the ${keys.length} keys of ${at}.cloudInit take ${length} characters; expected at most ${MOST_CHARACTERS}, or false here`,
        ]
      : []),
    ...others.map(
      (one) =>
        `, but ${one} gives guests other keys at their first boot; expected user and sshPublicKeys instead of it`,
    ),
  ];
}
