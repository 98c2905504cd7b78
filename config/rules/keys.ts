import ssh2 from "ssh2";
import type { FirstBoot } from "../cloudInit.ts";
import { readLocalFile } from "../files.ts";
import { found, PRIVATE_KEY, type Problem } from "../problem.ts";

/** The key in a line of authorized_keys; options (`from="…"`) may stand in front of it, a comment behind. */
const KEY = /(?:^|\s)((?:ssh-\w+|ecdsa-sha2-nistp\d+|sk-[\w-]+@openssh\.com)\s+AAAA[A-Za-z0-9+/]+=*)(?:\s.*)?$/;

/** A line of an authorized_keys file or of `sshPublicKeys`; the message never shows the key. */
function keyProblem(line: string): string | undefined {
  if (PRIVATE_KEY.test(line)) {
    return "this is a PRIVATE key: it must never leave this machine; expected the public one (the file that ends in .pub)";
  }
  const key = line.includes("\n") ? "" : (KEY.exec(line)?.[1] ?? "");
  // The parser does not know the keys of hardware tokens.
  const good = key.startsWith("sk-") || !(ssh2.utils.parseKey(key) instanceof Error);
  return good ? undefined : 'expected one SSH public key, for example "ssh-ed25519 AAAA… me@home"';
}

const keyLines = (text: string) =>
  text
    .split(/\r?\n/)
    .map((line) => line.trim())
    .filter((line) => line !== "" && !line.startsWith("#"));

type Keys = Pick<FirstBoot, "sshPublicKeys" | "sshPublicKeyFile">;

/** The public keys that the user gets, or what is wrong with them. */
export function publicKeys(cloudInit: Keys, path: string): { keys: string[]; problems: Problem[] } {
  const { sshPublicKeys = [] } = cloudInit;
  const problems = sshPublicKeys.flatMap((line, index): Problem[] => {
    const message = keyProblem(line.trim());
    return message ? [{ path: `${path}.sshPublicKeys[${index}]`, message }] : [];
  });
  const keys = sshPublicKeys.map((line) => line.trim());
  if (cloudInit.sshPublicKeyFile !== undefined) {
    const file = cloudInit.sshPublicKeyFile;
    const at = `${path}.sshPublicKeyFile`;
    const read = readLocalFile(file);
    if ("reason" in read) {
      problems.push({
        path: at,
        message: `found ${found(file)}; ${read.reason}; expected the file of an SSH public key`,
      });
    } else if (PRIVATE_KEY.test(read.text)) {
      problems.push({ path: at, message: `found "${file}"; ${keyProblem(read.text)}` });
    } else {
      const lines = keyLines(read.text);
      const wrong =
        lines.length === 0
          ? "the file is empty; expected an SSH public key"
          : lines.map(keyProblem).find((problem) => problem !== undefined);
      if (wrong) problems.push({ path: at, message: `found "${file}"; ${wrong}` });
      else keys.push(...lines);
    }
  }
  return { keys: [...new Set(keys)], problems };
}
