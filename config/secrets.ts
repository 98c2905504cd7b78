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
 * The secrets in a section of the config. The engine gives a whole section as secret when one value in it is, decrypted;
 * which one that is, only the stack's file says. What stands there in plain text is no secret; everything else may be one,
 * as config also comes from elsewhere: another file, an ESC environment.
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

/** What may be a secret: texts that go to places where Pulumi or we keep them secret. */
const HIDDEN = [
  /^(apiToken|username|password)$/,
  /^templates\.[^.]+\.(description|image\.url|image\.checksumUrl)$/,
  /^templates\.[^.]+\.cloudInit\.(password|sshPublicKeys|packages|timezone|locale|runCommands|writeFiles|vendor|userData|network)($|[.[])/,
  /^cloneSets\.[^.]+(\.clones\[\d+\])?\.description$/,
];

/** Whether the value at a place stays secret; everything else shows in names, in the state and in messages. */
export const canBeSecret = (place: string): boolean => HIDDEN.some((pattern) => pattern.test(place));
