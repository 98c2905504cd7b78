import type { CloudInit } from "../config/cloudInit.ts";
import { publicKeys } from "../config/rules/keys.ts";
import { contentHash } from "./contentHash.ts";

/** Who logs in to a clone, and by which SSH keys. */
export interface LoginKeys {
  user: string;
  /** Lines of authorized_keys. */
  keys: string[];
}

/** The login that a clone's first-boot configuration gives it; undefined: it names no user. */
export function loginKeys({ cloudInit }: { cloudInit: CloudInit }): LoginKeys | undefined {
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
