import { addressPlace, addsNic, type ExistingTemplate, type Fleet, hasNic, type PlacedClone } from "../fleet.ts";
import { oncePerPlace, type Problem } from "../problem.ts";
import { interfacesOf } from "./addresses.ts";

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
