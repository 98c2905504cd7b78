import { basename } from "node:path";
import { hasCredentials } from "../config/credentials.ts";
import { hostName } from "../config/fields.ts";
import { readLocalFile } from "../config/files.ts";
import { readUsedAddresses } from "../providers/guest/usedAddresses.ts";
import type { PveClient } from "../proxmox/client.ts";
import type { Answers } from "./answers.ts";
import type { Places } from "./askPlaces.ts";
import { checkRange } from "./cluster/addressRange.ts";
import { SetupError } from "./cluster/error.ts";
import { findPublicKeys } from "./cluster/sshKeys.ts";
import { findFreeVmIds, takenVmIds } from "./cluster/vmIds.ts";
import { checkImage } from "./imageCheck.ts";
import { IMAGES } from "./images.ts";
import { type OptionName, type Options, UsageError } from "./options.ts";
import type { Ui } from "./ui.ts";

/** Guests whose addresses are looked at while somebody waits for the next question. */
const GUESTS_READ = 200;

type Template = Answers["template"];
type CloneSet = Answers["set"];

const OTHER = "other";

const wrongUrl = (text: string): string | undefined =>
  URL.canParse(text) && /^https?:\/\/[^/]+\/.*[^/]$/.test(text)
    ? undefined
    : "expected the URL of a file, https://…/image.qcow2";

/**
 * The stack file has it in plain text.
 *
 * @throws UsageError without the URL, which is a secret
 */
function refuseCredentials(option: OptionName, url: string, field: string): void {
  if (!hasCredentials(url)) return;
  throw new UsageError(
    `--${option}: the URL has a login in it, which would be written in plain text. Give it without; afterwards set it encrypted: pulumi config set --secret --path 'templates.<key>.image.${field}'`,
  );
}

/** Key of a template from the name of its image. */
const keyFrom = (url: string): string => {
  const [word = ""] = /[a-z][a-z0-9]*/.exec(basename(new URL(url).pathname).toLowerCase()) ?? [];
  return word || "image";
};

export async function askImage(ui: Ui, options: Options): Promise<Pick<Template, "key" | "image" | "user">> {
  const own = options.has("image-url");
  const name = own
    ? OTHER
    : await ui.pick({
        option: "image",
        message: "Which image is the template made from?",
        choices: [
          ...IMAGES.map(({ name, title }) => ({ value: name, label: title })),
          ...(ui.interactive ? [{ value: OTHER, label: "Another one, by its URL" }] : []),
        ],
        none: "",
      });
  const offered = IMAGES.find((image) => image.name === name);
  const image = offered ? { url: offered.url, checksumUrl: offered.checksumUrl } : await askUrl(ui, options);
  const problems = await checkImage(image);
  if (problems.length > 0)
    ui.warn(
      `This machine could not check the image. The node downloads it, and may reach it all the same:\n${problems.join("\n")}`,
    );
  const user = options.text("user") ?? offered?.user;
  return { key: offered?.key ?? keyFrom(image.url), image, ...(user !== undefined && { user }) };
}

async function askUrl(ui: Ui, options: Options): Promise<Template["image"]> {
  const url = await ui.text({ option: "image-url", message: "URL of the cloud image", check: wrongUrl });
  refuseCredentials("image-url", url, "url");
  if (!ui.interactive && !options.has("checksum-url")) {
    ui.warn("No --checksum-url: the download is trusted as it comes.");
    return { url };
  }
  const checksumUrl = await ui.text({
    option: "checksum-url",
    message: "URL of the list that has its checksum (SHA256SUMS); none: trust the download as it comes",
    best: "none",
    check: (text) => (text === "none" ? undefined : wrongUrl(text)),
  });
  if (checksumUrl === "none") return { url };
  refuseCredentials("checksum-url", checksumUrl, "checksumUrl");
  return { url, checksumUrl };
}

const wrongKeyFile = (file: string): string | undefined => {
  const read = readLocalFile(file);
  if ("reason" in read) return read.reason;
  return /^(ssh-|ecdsa-|sk-)/m.test(read.text) ? undefined : "expected a public key, as in ~/.ssh/id_ed25519.pub";
};

/** Who can log in to the guests: without a key, nobody. */
export async function askPublicKey(ui: Ui, options: Options): Promise<Template["publicKey"]> {
  const found = options.has("ssh-public-key") ? [] : await findPublicKeys();
  const [best, ...others] = found;
  if (best === undefined) {
    if (!ui.interactive && !options.has("ssh-public-key"))
      throw new UsageError(
        "no SSH public key in ~/.ssh or the agent: make one (ssh-keygen -t ed25519), or name one with --ssh-public-key",
      );
    const message = "Which public key logs in to the guests? None is in ~/.ssh (ssh-keygen -t ed25519 makes one).";
    return { file: await ui.text({ option: "ssh-public-key", message, check: wrongKeyFile }) };
  }
  const nameOf = ({ file, fingerprint }: (typeof found)[number]) => file ?? fingerprint;
  const name =
    others.length > 0 && ui.interactive
      ? await ui.pick({
          option: "ssh-public-key",
          message: "Which of your keys logs in to the guests?",
          choices: found.map((key) => ({ value: nameOf(key), hint: `${key.type} ${key.comment}` })),
          none: "",
        })
      : nameOf(best);
  const key = found.find((one) => nameOf(one) === name) ?? best;
  if (others.length === 0 || !ui.interactive) ui.say(`SSH key for the guests: ${nameOf(key)}`);
  return key.file === undefined ? { line: key.line } : { file: key.file };
}

/** VMIDs: the template's, and the first of the clones'. */
export async function askVmIds(
  options: Options,
  client: PveClient,
  count: number,
): Promise<{ template: number; first: number }> {
  const given = options.text("vm-ids");
  if (given === undefined) {
    const { template, clones } = await findFreeVmIds(client, count);
    return { template, first: clones.first };
  }
  const template = Number(given);
  if (!Number.isInteger(template) || template < 100 || template + 101 + count > 999_999_999)
    throw new UsageError(`--vm-ids: found "${given}"; expected a VMID from 100 on`);
  const first = template + 101;
  const taken = await takenVmIds(client, [template, ...Array.from({ length: count }, (_, index) => first + index)]);
  if (taken.length > 0)
    throw new SetupError(
      "none",
      `--vm-ids ${given}: already taken: ${taken.join(", ")}; needed: ${template}${count > 0 ? ` and ${first} to ${first + count - 1}` : ""}`,
    );
  return { template, first };
}

const wrongCount = (text: string): string | undefined =>
  /^\d+$/.test(text) && Number(text) <= 5000 ? undefined : "expected a number from 0 to 5000";

const wrongSet = (text: string): string | undefined =>
  hostName.safeParse(`${text}-1`).success && /^[a-z][a-z0-9-]*$/.test(text)
    ? undefined
    : "expected a name of lower-case letters, digits and -, for example web";

export async function askClones(
  ui: Ui,
  options: Options,
  client: PveClient,
  { disks, bridge }: Places,
): Promise<Omit<CloneSet, "firstVmId">> {
  const message = `How many clones? Their names are ${options.text("set") ?? "web"}-1, -2, …`;
  const count = Number(await ui.text({ option: "clones", message, best: "3", check: wrongCount }));
  const key = options.has("set")
    ? await ui.text({ option: "set", message: "Name of the set", check: wrongSet })
    : "web";
  if (count === 0) return { key, count, mode: "linked" };
  const addresses = await askAddresses(ui, options, client, count, bridge);
  return { key, count, ...addresses, mode: await askMode(ui, options, disks.storage, disks.linkedClones) };
}

async function askMode(ui: Ui, options: Options, storage: string, canLink: boolean): Promise<"linked" | "full"> {
  if (options.has("full")) return "full";
  if (options.has("linked")) {
    if (canLink) return "linked";
    throw new UsageError(`--linked: ${storage} has no linked clones; expected --full, or another --disk-datastore`);
  }
  if (!canLink) {
    ui.say(`Full clones: ${storage} has no linked ones.`);
    return "full";
  }
  return "linked";
}

/** `10.0.0.21-10.0.0.30` gets the prefix of the bridge's own network. */
const withPrefix = (range: string, cidr: string | undefined) =>
  range.includes("/") || cidr === undefined ? range : `${range}/${cidr.split("/")[1]}`;

async function askAddresses(
  ui: Ui,
  options: Options,
  client: PveClient,
  count: number,
  { cidr, gateway, name }: Places["bridge"],
): Promise<{ ipRange?: string; gateway?: string }> {
  const typed = await ui.text({
    option: "ip-range",
    message: `Addresses of the clones: dhcp, or a range${cidr ? ` (${name} is on ${cidr})` : ", as 10.0.0.21-10.0.0.30/24"}.`,
    best: "dhcp",
    check: (text) => (text === "dhcp" ? undefined : formOf(withPrefix(text, cidr), count)),
  });
  if (typed === "dhcp") return {};
  const ipRange = withPrefix(typed, cidr);
  const by = await ui.text({
    option: "gateway",
    message: "Gateway of the clones (none: they reach only their own network)",
    best: gateway ?? "none",
  });
  const { used, unread } = await readUsedAddresses(client, { most: GUESTS_READ });
  const own = by === "none" ? {} : { gateway: by };
  const problems = checkRange(ipRange, count, { used, ...own, ...(cidr && { bridgeCidr: cidr }) });
  const failed = problems.filter(({ severity }) => severity === "fail").map(({ text }) => text);
  for (const { severity, text } of problems) if (severity === "warn") ui.warn(text);
  if (unread.length > 0) ui.warn(unread.join("\n"));
  if (failed.length === 0) return { ipRange, ...own };
  if (!ui.interactive || options.has("ip-range"))
    throw new SetupError("refused", `--ip-range ${ipRange}: ${failed.join("; ")}`);
  ui.warn(failed.join("\n"));
  return askAddresses(ui, options, client, count, { cidr, gateway, name } as Places["bridge"]);
}

const formOf = (range: string, count: number): string | undefined =>
  range.includes(":")
    ? "expected IPv4 addresses, for example 10.0.0.21-10.0.0.30/24"
    : checkRange(range, count).find(({ severity }) => severity === "fail")?.text;
