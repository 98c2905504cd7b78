/** A public key of the user. */
export interface PublicKey {
  /** As it stands in authorized_keys: `ssh-ed25519 AAAA… mia@laptop`. */
  line: string;
  type: string;
  comment: string;
  /** `SHA256:…`, as ssh-keygen shows it. */
  fingerprint: string;
  /** `~/.ssh/id_ed25519.pub`; undefined if only the agent has it. */
  file?: string;
  /** Whether the SSH agent has its private key. */
  inAgent: boolean;
  /** The private key beside the file: what can be made of it. */
  privateKey?: PrivateKey;
}

export interface PrivateKey {
  /** `~/.ssh/id_ed25519` */
  file: string;
  /** `ready`: goes into `ssh.privateKeyFile`; `encrypted`: only by the agent; `unreadable`: not at all. */
  state: "ready" | "encrypted" | "unreadable";
}

/** The user's public keys, the best first: from `~/.ssh/*.pub`, and what the SSH agent has besides. */
export function findPublicKeys(_env: NodeJS.ProcessEnv = process.env): Promise<PublicKey[]> {
  throw new Error("not there yet");
}

/** Private keys that can be used for SSH to a node without asking for a passphrase, the best first. */
export function usablePrivateKeys(_keys: readonly PublicKey[]): string[] {
  throw new Error("not there yet");
}
