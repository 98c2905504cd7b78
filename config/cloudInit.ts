import { z } from "zod";
import { addressing, dns, localFile } from "./fields.ts";
import { didYouMean } from "./text.ts";

const ZONES = Intl.supportedValuesOf("timeZone");

/** A name of the time zone database. Node knows other names and spellings of a zone too; a guest has files of these names. */
const timeZone = z.string().check(({ value, issues }) => {
  const sameZone = ZONES.find((zone) => zone.toLowerCase() === value.toLowerCase());
  if (sameZone === value) return;
  const meant = sameZone ?? (isZone(value) ? undefined : didYouMean(value, ZONES));
  if (meant === undefined && isZone(value)) return;
  const hint = meant === undefined ? "for example Europe/Vienna" : `did you mean ${meant}?`;
  issues.push({ code: "custom", message: `expected a name of the time zone database; ${hint}`, input: value });
});

function isZone(name: string): boolean {
  try {
    new Intl.DateTimeFormat("en", { timeZone: name });
    return /^[A-Z]/.test(name);
  } catch {
    return false;
  }
}

const cloudConfig = z.record(z.string(), z.json());

const networkConfig = cloudConfig.check(({ value, issues }) => {
  if (value.version === 1 || value.version === 2) return;
  const around = "network" in value ? ", without a `network` key around it" : "";
  issues.push({ code: "custom", path: ["version"], message: `expected 1 or 2${around}`, input: value });
});

/** A text of the user's, here or in a file; it goes to the guest as it is. */
const wholeText = z
  .strictObject({
    text: z.string().min(1).optional().describe("the text itself"),
    file: localFile.optional().describe("file that holds it"),
  })
  .refine(({ text, file }) => (text === undefined) !== (file === undefined), {
    error: "expected exactly one of text and file",
  });

/** What a guest becomes at its first boot. */
const fields = {
  user: z
    .string()
    .regex(/^[a-z_][a-z0-9_-]{0,31}$/, {
      error: "expected a Linux user name: lower-case letters, digits, '_' and '-'",
    })
    .describe("login user; default: the image's own"),
  password: z.string().min(1).describe("its password, hashed (SHA-512 crypt) before it leaves the program"),
  sshPublicKeyFile: localFile.describe("file with the user's public keys, one a line"),
  sshPublicKeys: z.array(z.string()).describe("the user's public keys themselves"),
  packages: z
    .array(
      z
        .string()
        .min(1)
        // A group of dnf may have blanks in its name.
        .regex(/^(@.+|\S*)$/, {
          error: "expected the name of one package, without blanks; each has an entry of its own",
        }),
    )
    .describe("packages to install at first boot"),
  packageUpgrade: z.boolean().describe("upgrade all packages at first boot"),
  timezone: timeZone.describe("for example Europe/Vienna"),
  locale: z.string().min(1).describe("for example en_US.UTF-8"),
  runCommands: z
    .array(
      z.union([z.string().min(1), z.array(z.string()).min(1)], {
        error: "expected a command as a text or as a list of texts",
      }),
    )
    .describe("commands of the first boot (cloud-init: runcmd)"),
  writeFiles: z
    .array(
      z.strictObject({
        path: z
          .string()
          .startsWith("/", { error: "expected an absolute path of the guest" })
          .describe("absolute path in the guest"),
        content: z.string().describe("the file's text"),
        permissions: z
          .string()
          .regex(/^0?[0-7]{3,4}$/, { error: 'expected an octal mode in quotes, for example "0644"' })
          .optional()
          .describe('octal mode in quotes; default: "0644"'),
        owner: z.string().min(1).optional().describe("user:group; default: root:root"),
        append: z.boolean().optional().describe("add to the file instead of replacing it; default: false"),
        defer: z.boolean().optional().describe("write after users and packages are there; default: false"),
      }),
    )
    .describe("files of the first boot (cloud-init: write_files)"),
  vendor: cloudConfig.describe("more cloud-config for the vendor-data snippet"),
  userData: cloudConfig.describe(
    "more cloud-config for the user-data snippet; in the guest its keys win over the fields above, lists as a whole",
  ),
  raw: wholeText.describe(
    "the whole user-data, for guests that are not cloud-init's, as Ignition, Talos or NixOS; in the place of everything above (PVE: cicustom user=)",
  ),
  meta: wholeText.describe(
    "the whole meta-data, instance-id included, in the place of what PVE makes (PVE: cicustom meta=)",
  ),
  network: networkConfig.describe("network-config (version 1 or 2) that replaces what PVE makes of ip and gateway"),
  dns: dns.describe("DNS; default: cluster.network.dns"),
};

/** First-boot configuration of a clone set, or of a clone, over that of the template. */
export const firstBoot = z.strictObject(fields).partial();

export type FirstBoot = z.output<typeof firstBoot>;

export const cloudInit = z
  .strictObject({
    ...firstBoot.shape,
    sshPublicKeys: fields.sshPublicKeys.default([]),
    packages: fields.packages.default([]),
    packageUpgrade: fields.packageUpgrade.default(false),
    runCommands: fields.runCommands.default([]),
    writeFiles: fields.writeFiles.default([]),
    vendor: fields.vendor.default({}),
    userData: fields.userData.default({}),
    snippets: z
      .boolean()
      .optional()
      .describe(
        "true: by snippets, which are uploaded by SSH; false: by PVE's own fields, if all of it fits them (PVE: ciuser, cipassword, sshkeys); default: false if `cluster.ssh` is missing and nothing here needs a snippet, else true; another value makes the template anew",
      ),
    drive: z
      .enum(["scsi", "ide"])
      .optional()
      .describe("bus of the cloud-init drive; default: scsi with a virtio SCSI controller, else ide"),
    ...addressing,
  })
  .describe("first-boot configuration");

export type CloudInit = z.output<typeof cloudInit>;
