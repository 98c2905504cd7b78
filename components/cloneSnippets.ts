import * as pulumi from "@pulumi/pulumi";
import { type Fleet, sourcesIn } from "../config/fleet.ts";
import { replicasOf } from "../config/replicas.ts";
import type { SnippetKind } from "../config/snippetSources.ts";
import { type CloneBoot, CloneBoots } from "../fleet/cloneBoot.ts";
import { snippetSources } from "../fleet/cloudInit/sources.ts";
import { contentHash } from "../fleet/contentHash.ts";
import { fleetTag } from "../fleet/tags.ts";
import { CLONE_SNIPPETS_TYPE, cloneSnippetName } from "../fleet/urns.ts";
import { SnippetFiles } from "../providers/snippets/resource.ts";
import type { FleetContext } from "./fleet.ts";
import { anySecret } from "./secrets.ts";
import { snippetFile } from "./snippetFile.ts";
import { statusUrn } from "./statusUrn.ts";

/** A text that clones boot with, on a node. */
interface Text {
  node: string;
  kind: SnippetKind;
  text: string;
  secret: boolean;
}

/** A snippet on the datastore. */
interface Stored {
  volumeId: pulumi.Output<string>;
  file: pulumi.Resource;
}

type Config = Pick<Fleet, "templates" | "existing" | "cloneSets">;

/** The first boots of clones that say more than their template, by VMID. */
export function cloneBoots(config: Config): Map<number, CloneBoot> {
  const sources = sourcesIn(config);
  // A set that is kept as it is boots nothing.
  const sets = Object.values(config.cloneSets).filter(({ keep }) => !keep);
  return new Map(
    sets.flatMap((set) => {
      const boots = new CloneBoots();
      return set.clones.flatMap((clone, index): [number, CloneBoot][] => {
        const template = sources[set.template];
        const boot = template && boots.of(clone, index + 1, template);
        return boot ? [[clone.vmId, boot]] : [];
      });
    }),
  );
}

/** Every text once for each node that it is needed on: clones are many, and mostly alike. */
function textsOf(config: Config, boots: ReadonlyMap<number, CloneBoot>, { secrets }: FleetContext): Map<string, Text> {
  const sources = sourcesIn(config);
  const all = new Map<string, Text>();
  for (const [key, set] of Object.entries(config.cloneSets)) {
    const replicas = Object.keys(replicasOf(sources, set.template));
    /** The nodes of the template that clones on some nodes are made from. */
    const sourceNodes = (nodes: readonly string[]) =>
      new Set(nodes.flatMap((node) => (replicas.includes(node) ? node : (replicas[0] ?? []))));
    for (const { vmId, path, node: own } of set.clones)
      for (const { kind, text } of boots.get(vmId)?.snippets ?? []) {
        const places = [sources[set.template]?.path ?? "", `cloneSets.${key}`, path];
        const isSecret = anySecret(
          secrets,
          places.flatMap((at) => snippetSources(kind, at)),
        );
        for (const node of sourceNodes(own === undefined ? set.nodes : [own])) {
          const id = cloneSnippetName(node, kind, text);
          all.set(id, { node, kind, text, secret: all.get(id)?.secret || isSecret });
        }
      }
  }
  return all;
}

/**
 * The snippets of clones whose first boot is not their template's. Files are named by what is in them: a clone keeps the one that it
 * was made with, and `SnippetFiles` removes it when no VM names it any more.
 */
export class CloneSnippets extends pulumi.ComponentResource {
  readonly #stored = new Map<string, Stored>();

  constructor(
    name: string,
    config: Config,
    boots: ReadonlyMap<number, CloneBoot>,
    fleet: FleetContext,
    opts: pulumi.ComponentResourceOptions,
  ) {
    super(CLONE_SNIPPETS_TYPE, name, {}, opts);
    const byNode = Map.groupBy(textsOf(config, boots, fleet), ([, { node }]) => node);
    for (const [node, texts] of byNode) this.#upload(node, new Map(texts), fleet);
    this.registerOutputs({});
  }

  #upload(node: string, texts: ReadonlyMap<string, Text>, { cluster, fleetId }: FleetContext): void {
    const datastore = cluster.datastores.snippets;
    const prefix = fleetId.apply((id) => `${fleetTag(id)}-${node}-`);
    const named = [...texts].map(([id, one]) => ({
      id,
      ...one,
      fileName: pulumi.interpolate`${prefix}${one.kind}-${contentHash(one.text)}.yaml`,
    }));
    const urn = statusUrn("SnippetFiles", `${node}-snippets`, CLONE_SNIPPETS_TYPE);
    const current = named.map(({ fileName }) => fileName);
    const files = new SnippetFiles(
      `${node}-snippets`,
      { statusUrn: urn, node, datastore, prefix, current },
      { parent: this },
    );
    // One after the other.
    let last: pulumi.Resource = files;
    for (const { id, text, secret, fileName } of named) {
      const snippet = { node, datastore, fileName, text, isSecret: secret, files };
      const file = snippetFile(id, snippet, { parent: this, dependsOn: [files, last] });
      last = file;
      this.#stored.set(id, { volumeId: pulumi.interpolate`${datastore}:snippets/${fileName}`, file });
    }
  }

  /** The snippets of a clone on a node, by kind. */
  of({ snippets }: CloneBoot, node: string): Map<SnippetKind, Stored> {
    return new Map(
      snippets.flatMap(({ kind, text }): [SnippetKind, Stored][] => {
        const stored = this.#stored.get(cloneSnippetName(node, kind, text));
        return stored ? [[kind, stored]] : [];
      }),
    );
  }
}
