import { Document, isMap, isPair, isScalar, type Pair, visit, type YAMLMap } from "yaml";
import type { Config } from "./answers.ts";

/** What Pulumi writes into a stack file besides the config: `encryptionsalt`, `secretsprovider`, … */
export interface StackSecrets {
  /** `{ secure: v1:… }` */
  apiToken: { secure: string };
  /** Keys beside `config`. */
  provider: Record<string, unknown>;
}

/** Maps that are read at a glance stand in one line. */
const IN_ONE_LINE = ["tls", "image", "datastores", "network", "nodes", "cloudInit"];
const LONGEST = 100;

const COMMENTS: Record<string, string> = {
  tls: " The CA that signs the cluster's certificates. Other ways: docs/trust.md",
  ssh: " For cloud-init snippets alone, which the API cannot upload.",
  "proxmox-golden-fleet:apiToken": " Encrypted. Another one: pulumi config set --secret apiToken",
  "proxmox-golden-fleet:templates":
    " Templates also take cpu, memoryMiB, disk, extraDisks, nics, uefi, tpm, gpus, tags, pool (docs/templates.md),\n images a checksum of their own (docs/images.md).",
  "proxmox-golden-fleet:cloneSets":
    " Sets also take nodes, placement, cores, memoryMiB, diskGiB, extraDisks, onTemplateChange, tags, or clones one by one (docs/clones.md).",
};

/**
 * The text of a new stack file.
 *
 * @param secrets undefined if they are not made yet: the text is shown only
 */
export function stackText(stack: string, config: Config, secrets?: StackSecrets): string {
  const { cluster, templates, cloneSets } = config;
  const doc = new Document({
    config: {
      "proxmox-golden-fleet:cluster": cluster,
      ...(secrets && { "proxmox-golden-fleet:apiToken": secrets.apiToken }),
      "proxmox-golden-fleet:templates": templates,
      ...(Object.keys(cloneSets).length > 0 && { "proxmox-golden-fleet:cloneSets": cloneSets }),
    },
    ...secrets?.provider,
  });
  doc.commentBefore = [
    ` Stack "${stack}", written by: npm run setup`,
    " Run it again to look whether it still fits the cluster. Every key: docs/configuration.md",
  ].join("\n");
  visit(doc, {
    Pair(_, pair) {
      const key = keyOf(pair);
      const comment = COMMENTS[key];
      if (comment && isScalar(pair.key)) pair.key.commentBefore = comment;
      if (IN_ONE_LINE.includes(key) && isMap(pair.value) && JSON.stringify(pair.value).length < LONGEST)
        inOneLine(pair.value);
    },
  });
  return doc.toString({ lineWidth: 0 });
}

const keyOf = (pair: Pair) => (isPair(pair) && isScalar(pair.key) ? String(pair.key.value) : "");

function inOneLine(map: YAMLMap): void {
  map.flow = true;
}
