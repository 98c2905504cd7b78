import { createHash } from "node:crypto";
import { encrypt } from "unixcrypt";

const ALPHABET = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/** 16 characters of crypt's alphabet that are always the same for the same source. */
function saltFrom(source: string): string {
  const bytes = createHash("sha512").update(source).digest().subarray(0, 16);
  return Array.from(bytes, (byte) => ALPHABET[byte % ALPHABET.length]).join("");
}

/**
 * The SHA-512 crypt hash (`$6$…`) of a guest's password.
 *
 * The salt is not random: with another hash at every run, every `pulumi up` would write a new snippet. It comes from
 * public names only (the fleet and the template) and never from the password, because a salt stands in the snippet for
 * all to read: one made of the password would be a second, much faster hash of it.
 *
 * @param saltSource what is different for each template, and no secret
 */
export const hashPassword = (password: string, saltSource: string): string =>
  encrypt(password, `$6$${saltFrom(saltSource)}`);
