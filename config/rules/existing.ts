import { addressPlace, type Fleet, type PlacedClone } from "../fleet.ts";
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

/** A template that was made elsewhere and has no cloud-init drive: nothing tells its clones what cloud-init would. */
export function carried({ existing, cloneSets }: Pick<Fleet, "existing" | "cloneSets">): Problem[] {
  const problems = Object.values(cloneSets).flatMap((set): Problem[] => {
    const template = existing[set.template];
    if (!template || template.existing.cloudInitDatastore !== undefined) return [];
    return set.clones.flatMap((clone) =>
      byDrive(clone).map(({ path, what }) => ({
        path,
        message: `found ${what}, but template ${template.vmId} (${template.path}) has no cloud-init drive to tell its clones; expected none, or a drive: qm set ${template.vmId} --ide2 <datastore>:cloudinit`,
      })),
    );
  });
  return oncePerPlace(problems);
}
