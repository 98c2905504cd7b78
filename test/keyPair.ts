import ssh2 from "ssh2";

interface Options {
  bits?: number;
  comment?: string;
  passphrase?: string;
  cipher?: string;
  rounds?: number;
}

/** An SSH key pair. Of the Ed25519 keys that ssh2 makes, one in some hundred is malformed; it finds that out itself. */
export function keyPair(
  type: "ed25519" | "ecdsa" | "rsa" = "ed25519",
  options: Options = {},
): { private: string; public: string } {
  for (;;) {
    const pair = ssh2.utils.generateKeyPairSync(type as "ed25519", options as never);
    if (!(ssh2.utils.parseKey(pair.private, options.passphrase) instanceof Error)) return pair;
  }
}
