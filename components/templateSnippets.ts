import * as pulumi from "@pulumi/pulumi";
import type { PlacedTemplate } from "../config/fleet.ts";
import { usesSnippets } from "../config/rules/snippets.ts";
import { withSnippets } from "../fleet/cicustom.ts";
import { knowsSerial } from "../fleet/cloneBoot.ts";
import { snippetSources } from "../fleet/cloudInit/sources.ts";
import { contentHash } from "../fleet/contentHash.ts";
import { renderClonesSnippet, renderSnippets, type Snippets, snippetKinds } from "../fleet/templateContent.ts";
import { firstKey } from "../fleet/templateNames.ts";
import { SnippetFiles } from "../providers/snippets/resource.ts";
import type { FleetContext } from "./fleet.ts";
import { anySecret } from "./secrets.ts";
import { snippetFile } from "./snippetFile.ts";
import type { PartOf } from "./templateParts.ts";

/** `clones` is the vendor-data of the clones, which no template names. */
type Kind = keyof Snippets | "clones";

/** A template's snippets on the datastore. */
export interface TemplateSnippets {
  /** Volume ids. They are known before the files are there. */
  ids: ReadonlyMap<Kind, pulumi.Output<string>>;
  /** All resources that make the files. */
  resources: pulumi.Resource[];
  /** PVE's `cicustom` of the template; undefined: it has none. */
  cicustom: pulumi.Output<string> | undefined;
  /** PVE's `cicustom` of the clones; undefined: it is the template's. */
  cloneCicustom: pulumi.Output<string> | undefined;
}

/**
 * Uploads the snippets of a template, if it has any; see `SnippetFiles` for how long they live.
 *
 * @param stays the run leaves the template as it is, and its clones get the snippets that are there
 */
export function templateSnippets(
  key: string,
  template: PlacedTemplate,
  { cluster, secrets, templateNames }: FleetContext,
  part: PartOf,
  stays: boolean,
): TemplateSnippets {
  const { vmId, node, path, makeTemplate } = template;
  if (!usesSnippets(template)) return { ids: new Map(), resources: [], cicustom: undefined, cloneCicustom: undefined };
  const datastore = cluster.datastores.snippets;
  const texts = templateNames.apply((names) => ({
    ...renderSnippets(template, names),
    clones: renderClonesSnippet(template),
  }));
  const kinds: Kind[] = [
    ...snippetKinds(template),
    ...(makeTemplate && knowsSerial(template) && !template.cloudInit.raw ? ["clones" as const] : []),
  ];
  const prefix = templateNames.apply((names) => `${firstKey(key, vmId, names)}-${vmId}-`);
  const snippets = kinds.map((kind) => {
    const text = texts.apply((all) => all[kind] ?? "");
    const fileName = pulumi.interpolate`${prefix}${kind}-${text.apply(contentHash)}.yaml`;
    return { kind, text, fileName };
  });
  const { name, opts, urn } = part("snippets");
  const current = snippets.map(({ fileName }) => fileName);
  const files = new SnippetFiles(name, { statusUrn: urn("SnippetFiles"), node, datastore, prefix, current }, opts);
  const resources: pulumi.Resource[] = [files];
  const there = new Map<Kind, pulumi.Output<string>>();
  for (const { kind, text, fileName } of snippets) {
    const { name, opts } = part(kind);
    const isSecret = anySecret(secrets, snippetSources(kind, path));
    // One after the other.
    const dependsOn = [...resources];
    const file = snippetFile(name, { node, datastore, fileName, text, isSecret, files }, { ...opts, dependsOn });
    resources.push(file);
    there.set(kind, file.id);
  }
  const ids = new Map(
    snippets.map(({ kind, fileName }) => [kind, pulumi.interpolate`${datastore}:snippets/${fileName}`] as const),
  );
  const own = stays ? there : ids;
  const parts = (["user", "vendor", "meta", "network"] as const).flatMap((kind) => {
    const id = own.get(kind);
    return id ? [pulumi.interpolate`${kind}=${id}`] : [];
  });
  const cicustom = pulumi.all(parts).apply((all) => all.join(","));
  const clones = own.get("clones");
  const cloneCicustom =
    clones && pulumi.all([cicustom, clones]).apply(([all, vendor]) => withSnippets(all, { vendor }));
  return { ids, resources, cicustom, cloneCicustom };
}
