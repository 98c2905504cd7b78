import * as proxmox from "@muhlba91/pulumi-proxmoxve";
import * as pulumi from "@pulumi/pulumi";
import type { PlacedTemplate } from "../config/fleet.ts";
import { contentHash } from "../fleet/contentHash.ts";
import { renderSnippets, type Snippets, snippetKinds } from "../fleet/templateContent.ts";
import { firstKey } from "../fleet/templateNames.ts";
import { SnippetFiles } from "../providers/snippets/resource.ts";
import type { FleetContext } from "./fleet.ts";
import type { PartOf } from "./templateParts.ts";
import { snippetHooks } from "./vmHooks.ts";

type Kind = keyof Snippets;

/** A template's snippets on the datastore. */
export interface TemplateSnippets {
  /** Volume ids. They are known before the files are there. */
  ids: ReadonlyMap<Kind, pulumi.Output<string>>;
  /** All resources that make the files. */
  resources: pulumi.Resource[];
}

/** Uploads the snippets of a template; see `SnippetFiles` for how long they live. */
export function templateSnippets(
  key: string,
  template: PlacedTemplate,
  { cluster, templateNames }: FleetContext,
  part: PartOf,
): TemplateSnippets {
  const { vmId, node } = template;
  const datastore = cluster.datastores.snippets;
  const texts = templateNames.apply((names) => renderSnippets(template, names));
  const prefix = templateNames.apply((names) => `${firstKey(key, vmId, names)}-${vmId}-`);
  const snippets = snippetKinds(template).map((kind) => {
    const text = texts.apply((all) => all[kind] ?? "");
    const fileName = pulumi.interpolate`${prefix}${kind}-${text.apply(contentHash)}.yaml`;
    return { kind, text, fileName };
  });
  const { name, opts, urn } = part("snippets");
  const current = snippets.map(({ fileName }) => fileName);
  const files = new SnippetFiles(name, { statusUrn: urn("SnippetFiles"), node, datastore, prefix, current }, opts);
  const resources: pulumi.Resource[] = [files];
  for (const { kind, text, fileName } of snippets) {
    const { name, opts } = part(kind);
    resources.push(
      new proxmox.FileLegacy(
        name,
        {
          nodeName: node,
          datastoreId: datastore,
          contentType: "snippets",
          uploadMode: "sftp",
          sourceRaw: {
            fileName,
            // The user-data holds the hash of the password.
            data: kind === "user" && template.cloudInit.password ? pulumi.secret(text) : text,
          },
        },
        {
          ...opts,
          // Clones may still name the file: SnippetFiles removes it when none does.
          retainOnDelete: true,
          // A file that is gone is uploaded again.
          replacementTrigger: pulumi.all([files.restored, fileName]).apply(([restored, file]) => restored?.[file] ?? 0),
          // One after the other.
          dependsOn: [...resources],
          hooks: snippetHooks(name, { node, datastore }),
        },
      ),
    );
  }
  const ids = snippets.map(
    ({ kind, fileName }) => [kind, pulumi.interpolate`${datastore}:snippets/${fileName}`] as const,
  );
  return { ids: new Map(ids), resources };
}
