import { pathText } from "./text.ts";

/** A value of the stack config that is a secret, or may be one. */
export interface SecretValue {
  /** Its place in the config, for example `templates.noble.cloudInit.password`. */
  path: string;
  /** Whether it is known to be encrypted by itself. */
  encrypted: boolean;
}

const isMap = (value: unknown): value is Record<string, unknown> => typeof value === "object" && value !== null;

/**
 * The secrets in a section of the config. When one value in a section is encrypted, the engine calls the whole section a
 * secret and gives it decrypted. Which value it was, only the stack's file tells: what stands there in plain text is no
 * secret. Everything else may be one, as config can come from elsewhere, too: another file, an ESC environment.
 *
 * @param value the section, decrypted
 * @param written the same section in the stack's file, encrypted values as `{secure: …}`; undefined if it is not known
 */
export function secretValues(value: unknown, written: unknown, path: readonly PropertyKey[]): SecretValue[] {
  if (isMap(value)) {
    return Object.entries(value).flatMap(([key, inner]) =>
      secretValues(inner, isMap(written) ? written[key] : undefined, [
        ...path,
        Array.isArray(value) ? Number(key) : key,
      ]),
    );
  }
  if (value === written) return [];
  return [{ path: pathText(path), encrypted: isMap(written) && typeof written.secure === "string" }];
}

/** Whether the value at a place, or one inside of it, is among the secrets. */
export const holdsSecret = (secrets: readonly SecretValue[], place: string): boolean =>
  secrets.some(({ path }) => path.startsWith(place) && /^$|^[.[]/.test(path.slice(place.length)));

/** What may be encrypted: texts that only go to where they are kept secret. */
const HIDDEN = [
  /^(apiToken|username|password)$/,
  /^templates\.[^.]+\.(description|image\.url|image\.checksumUrl)$/,
  /^templates\.[^.]+\.cloudInit\.(password|sshPublicKeys|packages|timezone|locale|runCommands|writeFiles|vendor|userData|raw|meta|network)($|[.[])/,
  /^cloneSets\.[^.]+(\.clones\[\d+\])?\.description$/,
  /^cloneSets\.[^.]+(\.clones\[\d+\])?\.cloudInit\.(password|sshPublicKeys|packages|timezone|locale|runCommands|writeFiles|vendor|userData|raw|meta|network)($|[.[])/,
];

/** Whether the value at a place is kept secret. Everything else shows in names, in the state or in messages. */
export const canBeSecret = (place: string): boolean => HIDDEN.some((pattern) => pattern.test(place));
