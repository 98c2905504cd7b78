import type { FirstBoot } from "../cloudInit.ts";
import { addressPlace, addsNic, type ExistingTemplate, type Fleet, hasNic, type PlacedClone } from "../fleet.ts";
import { oncePerPlace, type Problem } from "../problem.ts";
import { SNIPPET_SOURCES } from "../snippetSources.ts";
import { list } from "../text.ts";
import { interfacesOf } from "./addresses.ts";
import { ownSnippets } from "./firstBoot.ts";

const FIELDS = ["ip", "gateway", "ip6", "gateway6"] as const;

/** What reaches a guest by its cloud-init drive alone, with its place. */
function byDrive(clone: PlacedClone): { path: string; what: string }[] {
  const addresses = interfacesOf(clone).flatMap((one) =>
    FIELDS.flatMap((field) => {
      const value = one[field];
      return value === undefined || value === "dhcp" ? [] : [{ path: addressPlace(one, field), what: value }];
    }),
  );
  const at = clone.cloudInit ? [{ path: `${clone.path}.cloudInit`, what: "first-boot configuration" }] : [];
  return [...addresses, ...at];
}

/** Addresses of network interfaces that neither the template has nor the clone gets. */
function withoutNic(clone: PlacedClone, template: ExistingTemplate): Problem[] {
  return interfacesOf(clone).flatMap((one, index) =>
    hasNic(template, index) || addsNic(template, clone, index)
      ? []
      : FIELDS.flatMap((field): Problem[] => {
          const value = one[field];
          if (value === undefined || value === "dhcp") return [];
          const message = `found ${value}, but template ${template.vmId} (${template.path}) has no net${index}; expected none, or a network interface of the clone's own: nics with a bridge`;
          return [{ path: addressPlace(one, field), message }];
        }),
  );
}

/** What a template that was made elsewhere cannot tell its clones: without a cloud-init drive nothing, without an interface its address. */
export function carried({ existing, cloneSets }: Pick<Fleet, "existing" | "cloneSets">): Problem[] {
  const problems = Object.values(cloneSets).flatMap((set): Problem[] => {
    const template = existing[set.template];
    if (!template) return [];
    if (template.existing.cloudInitDatastore !== undefined)
      return set.clones.flatMap((clone) => withoutNic(clone, template));
    return set.clones.flatMap((clone) =>
      byDrive(clone).map(({ path, what }) => ({
        path,
        message: `found ${what}, but template ${template.vmId} (${template.path}) has no cloud-init drive to tell its clones; expected none, or a drive: qm set ${template.vmId} --ide2 <datastore>:cloudinit`,
      })),
    );
  });
  return oncePerPlace(problems);
}

/** What of a first boot would take the place of something of the template that nobody can read. */
function covered(layer: FirstBoot, path: string, template: ExistingTemplate): Problem[] {
  const { vmId, existing } = template;
  const snippetOf = (kind: string) => new RegExp(`(?:^|,)${kind}=([^,]+)`).exec(existing.cicustom ?? "")?.[1];
  const snippets = (["vendor", "user"] as const).flatMap((kind): Problem[] => {
    const keys = SNIPPET_SOURCES[kind].filter((key) => layer[key] !== undefined);
    const file = snippetOf(kind);
    // Who gives all of the user-data means to replace it.
    if (file === undefined || keys.length === 0 || (kind === "user" && layer.raw !== undefined)) return [];
    const message = `${list(keys)} would take the place of all that template ${vmId} does by its own snippet ${file}, which cannot be read here; expected ${kind === "user" ? "raw, the whole user-data, or none" : "none"}, or a template without that snippet`;
    return [{ path, message }];
  });
  const losesPassword =
    existing.hasPassword && snippetOf("user") === undefined && layer.password === undefined && layer.raw === undefined;
  const password =
    losesPassword && ownSnippets([layer], template).includes("user")
      ? [
          {
            path,
            message: `it takes a user-data snippet, and the password of template ${vmId} (PVE: cipassword) cannot be read into it; expected password beside it`,
          },
        ]
      : [];
  return [...snippets, ...password];
}

/** First boots that would take away what a template that was made elsewhere has. */
export function coveredBoots({ existing, cloneSets }: Pick<Fleet, "existing" | "cloneSets">): Problem[] {
  const problems = Object.entries(cloneSets).flatMap(([key, set]): Problem[] => {
    const template = existing[set.template];
    if (!template) return [];
    const own = set.clones.flatMap(({ path, cloudInit = [] }) =>
      cloudInit.filter((layer) => layer !== set.cloudInit).map((layer) => ({ path: `${path}.cloudInit`, layer })),
    );
    const all = [...(set.cloudInit ? [{ path: `cloneSets.${key}.cloudInit`, layer: set.cloudInit }] : []), ...own];
    return all.flatMap(({ path, layer }) => covered(layer, path, template));
  });
  return oncePerPlace(problems);
}
