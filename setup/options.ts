import { parseArgs } from "node:util";
import { didYouMean } from "../config/text.ts";

/** The command line cannot be used: exit code 2. */
export class UsageError extends Error {
  override name = "UsageError";
}

/** Name of a stack's token: what PVE takes as such begins with a letter, and has two characters. */
export const tokenNameOf = (stack: string): string =>
  /^[A-Za-z][A-Za-z0-9._-]+$/.test(stack) ? stack : `fleet-${stack}`;

interface OptionSpec {
  /** What --help calls its value; without it, the option is a switch. */
  value?: string;
  help: string;
  multiple?: boolean;
}

/** Every answer of setup as an option, in the order of --help. */
export const SECTIONS = {
  General: {
    stack: { value: "NAME", help: "name of the stack (default: home)" },
    yes: { help: "ask nothing; use defaults for everything not given as an option" },
    print: { help: "write nothing, neither here nor on the cluster: print the stack file" },
    help: { help: "this text" },
  },
  Cluster: {
    endpoint: { value: "HOST", help: "host, host:port or URL of a node" },
    "accept-fingerprint": {
      value: "[SHA256]",
      help: "trust the certificate that is shown, or only one with this fingerprint",
    },
    node: { value: "NODE", help: "node that runs the VMs" },
  },
  Login: {
    login: {
      value: "HOW",
      help: "create: make a user and a token; token: use yours; lines: print commands for root",
    },
    username: { value: "USER", help: "who the password is of (default: root@pam)" },
    "password-stdin": { help: "the password, once, from stdin; it is stored nowhere" },
    "token-stdin": { help: "an API token, user@realm!name=secret, from stdin" },
    "token-user": { value: "USER", help: "user that is made for the token (default: golden@pve)" },
    "token-name": { value: "NAME", help: "name of the token that is made (default: the stack's)" },
  },
  "Where things go": {
    "image-datastore": { value: "NAME", help: "datastore of downloaded images (content type import)" },
    "disk-datastore": { value: "NAME", help: "datastore of disks (content type images)" },
    "snippet-datastore": { value: "NAME", help: "datastore of cloud-init snippets, with --ssh" },
    "add-content": { help: "switch on content types that the chosen datastores lack" },
    bridge: { value: "NAME", help: "bridge or vnet of the VMs" },
  },
  Template: {
    image: { value: "NAME", help: "one of the list below" },
    "image-url": { value: "URL", help: "any other cloud image" },
    "checksum-url": { value: "URL", help: "list with its checksum, as SHA256SUMS" },
    "vm-ids": { value: "FIRST", help: "VMID of the template; the first clone's is 101 higher (9000: 9101)" },
    user: { value: "NAME", help: "login user of the guests (default: the image's own)" },
    "ssh-public-key": { value: "FILE", help: "public key for that user (default: yours in ~/.ssh)" },
  },
  Clones: {
    set: { value: "NAME", help: "name of the clone set (default: web)" },
    clones: { value: "NUMBER", help: "how many (default: 3)" },
    "ip-range": { value: "RANGE", help: "10.0.0.21-10.0.0.30/24; dhcp: from the network (default)" },
    gateway: { value: "ADDRESS", help: "gateway of the range" },
    linked: { help: "linked clones (default, if the datastore supports them)" },
    full: { help: "disks of their own" },
  },
  "SSH to the node, for cloud-init snippets": {
    ssh: { help: "use it: cloud-init installs the guest agent" },
    "no-ssh": { help: "do without" },
    "ssh-user": { value: "NAME", help: "login on the node (default: root)" },
    "ssh-key": {
      value: "FILE",
      help: "unencrypted private key (default: the first in ~/.ssh that works, else the SSH agent)",
    },
    "ssh-address": { value: "ADDRESS", help: "where the node's SSH server is, with :PORT if it is not 22" },
    "accept-host-key": { value: "[SHA256]", help: "pin the host key that is shown, or only this one" },
  },
  Pulumi: {
    backend: { value: "URL", help: "backend of the state (default: where Pulumi is logged in, else .fleet/state)" },
    "no-preflight": { help: "do not run pulumi preview at the end" },
  },
} as const satisfies Record<string, Record<string, OptionSpec>>;

type Sections = typeof SECTIONS;
type Specs = { [S in keyof Sections]: Sections[S] }[keyof Sections];
type KeysOfUnion<T> = T extends unknown ? keyof T : never;
export type OptionName = KeysOfUnion<Specs>;

const SPECS: Record<string, OptionSpec> = Object.assign({}, ...Object.values(SECTIONS));

/** The options that were given; a switch is `true`. */
export class Options {
  readonly #given: Readonly<Record<string, string | boolean>>;

  constructor(given: Readonly<Record<string, string | boolean>> = {}) {
    this.#given = given;
  }

  get names(): string[] {
    return Object.keys(this.#given);
  }

  has(name: OptionName): boolean {
    return this.#given[name] !== undefined;
  }

  text(name: OptionName): string | undefined {
    const value = this.#given[name];
    return typeof value === "string" ? value : undefined;
  }
}

/** Whether what follows an option with an optional value is that value. */
const isFingerprint = (text: string | undefined) =>
  text !== undefined && /^(SHA-?256:)?[0-9A-Za-z+/:=]{40,}$/.test(text);

/** `--accept-fingerprint` alone accepts what is shown: parseArgs knows no optional values. */
function withOptionalValues(args: readonly string[]): string[] {
  const optional = Object.entries(SPECS).flatMap(([name, { value }]) => (value?.startsWith("[") ? [`--${name}`] : []));
  return args.map((arg, index) => (optional.includes(arg) && !isFingerprint(args[index + 1]) ? `${arg}=any` : arg));
}

const PAIRS: readonly (readonly [OptionName, OptionName])[] = [
  ["password-stdin", "token-stdin"],
  ["linked", "full"],
  ["ssh", "no-ssh"],
  ["image", "image-url"],
];

/**
 * Reads the command line.
 *
 * @throws UsageError for what it does not know, with what was probably meant
 */
export function parseOptions(args: readonly string[]): Options {
  const names = Object.keys(SPECS);
  const config = Object.fromEntries(
    Object.entries(SPECS).map(([name, { value }]) => [name, { type: value ? "string" : "boolean" } as const]),
  );
  const { tokens, values } = parseArgs({
    args: withOptionalValues(args),
    options: config,
    strict: false,
    tokens: true,
    allowPositionals: true,
  });
  const problems = tokens.flatMap((token) => {
    if (token.kind === "positional") return [`found "${token.value}"; every answer is an option, see --help`];
    if (token.kind !== "option") return [];
    const { name, rawName } = token;
    if (!names.includes(name) || rawName !== `--${name}`) {
      const meant = didYouMean(name, names);
      return [`unknown option ${rawName}${meant ? `; did you mean --${meant}?` : "; see --help"}`];
    }
    const { value } = SPECS[name] ?? {};
    if (value && (token.value === undefined || token.value === "")) return [`--${name} needs a value: ${value}`];
    if (!value && token.value !== undefined) return [`--${name} takes no value`];
    return [];
  });
  for (const [one, other] of PAIRS)
    if (values[one] !== undefined && values[other] !== undefined)
      problems.push(`--${one} and --${other} exclude each other`);
  if (problems.length > 0) throw new UsageError([...new Set(problems)].join("\n"));
  return new Options(values as Record<string, string | boolean>);
}

/** @param images a line each: what --image takes */
export function helpText(images: readonly string[]): string {
  const sections = Object.entries(SECTIONS).map(([title, options]) => {
    const lines = Object.entries(options as Record<string, OptionSpec>).map(([name, { value, help }]) => {
      const left = `  --${name}${value ? ` ${value}` : ""}`;
      return left.length > 30 ? `${left}\n${" ".repeat(32)}${help}` : `${left.padEnd(32)}${help}`;
    });
    return `${title}:\n${lines.join("\n")}`;
  });
  return `npm run setup -- [options]

Asks a Proxmox VE cluster what it has, and writes the config of a stack that works there (Pulumi.NAME.yaml).
In a terminal, it asks for everything not given as an option. Without a terminal, it asks nothing and lists what is missing.
On a stack that exists, it reports what no longer fits, and changes only what you tell it to.

${sections.join("\n\n")}

Images:
${images.map((line) => `  ${line}`).join("\n")}

Exit codes:
  0    done
  1    something failed; the message says what, and what to do
  2    an option is missing or wrong
  3    the login lacks rights; the lines that grant them are printed
  4    the stack is written, but preflight found problems
  130  interrupted (Ctrl-C)
`;
}
