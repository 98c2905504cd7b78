import { publicKeys } from "../config/rules/keys.ts";
import type { Template } from "../config/template.ts";
import { contentHash } from "./contentHash.ts";

/** Who logs in to a clone, and by which SSH keys. */
export interface LoginKeys {
  user: string;
  /** Lines of authorized_keys. */
  keys: string[];
}

/** The login that the config gives the clones of a template; undefined: it names no user. */
export function loginKeys({ cloudInit }: Pick<Template, "cloudInit">): LoginKeys | undefined {
  const { user } = cloudInit;
  return user === undefined ? undefined : { user, keys: publicKeys(cloudInit, "cloudInit").keys };
}

/** What tells keys from others, whatever their order. */
export const keysHash = ({ user, keys }: LoginKeys): string => contentHash({ user, keys: [...keys].sort() });

/** Plain characters, without the backslash that begins the others. */
const PLAIN = /[ -[\]-~]/;

const escaped = (line: string): string =>
  [...line]
    .map((char) =>
      PLAIN.test(char)
        ? char
        : [...Buffer.from(char)].map((byte) => `\\0${byte.toString(8).padStart(3, "0")}`).join(""),
    )
    .join("");

/** Keys as the script in the guest reads them (providers/clone/keys/setKeys.sh): in ASCII, and with an end to know it by. */
export const keysInput = (keys: readonly string[]): string => [...keys.map(escaped), "end", ""].join("\n");
