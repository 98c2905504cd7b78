import { vmUrn } from "../../fleet/urns.ts";
import { ProxmoxError } from "../../proxmox/errors.ts";
import { failure } from "../failure.ts";
import { type Look, nameOf } from "../guest/lookUp.ts";
import type { TemplateVm } from "./remove.ts";

/** Whose a VM is that is not ours. */
export function otherOwner(found: Exclude<Look, { kind: "absent" }>): string {
  const { mark } = found.kind === "vm" && found.owner === "other-stack" ? found : {};
  return mark ? `stack ${mark.stack} made as ${mark.resource}` : "this stack did not make";
}

/** Has a person let the state forget these resources. */
const forget = (urns: readonly string[]): string[] => urns.map((urn) => `  pulumi state delete '${urn}'`);

/** The VM is another template's in the config, and by a state of an earlier version the plugin would delete it all the same. */
export function takenUp({ vmId, node }: TemplateVm, conversion: string): ProxmoxError {
  const text = `VM ${vmId} is the VM of another template of the config by now, so it is not deleted`;
  const next = [
    "Let the state forget what it was before, and run `pulumi up` again:",
    ...forget([conversion, vmUrn(conversion)]),
  ];
  return failure(new ProxmoxError("taken-up", text), { stage: "delete the VM", node, vmId, next: next.join("\n  ") });
}

/**
 * Another VM stands on the VMID of a template that is to go. It is left alone, and a person decides.
 *
 * @param conversion URN of the conversion, as the state has it
 * @param pluginDeletes the state is of an earlier version, by which the plugin deletes the VM
 */
export function takenOver(
  found: Exclude<Look, { kind: "absent" }>,
  { vmId, node }: TemplateVm,
  { conversion, pluginDeletes }: { conversion: string; pluginDeletes: boolean },
): ProxmoxError {
  const text = `VMID ${vmId} is taken by ${nameOf(found)}, which ${otherOwner(found)}. It is left alone`;
  const urns = [conversion, ...(pluginDeletes ? [vmUrn(conversion)] : [])];
  const next = [
    ...(found.kind === "vm" && found.mark === undefined
      ? ["If it is ours and somebody has emptied its notes: `pulumi up --refresh` writes them again."]
      : []),
    "If ours is gone, let the state forget it, and run this again:",
    ...forget(urns),
  ].join("\n  ");
  return failure(new ProxmoxError("not-ours", text), { stage: "delete the VM", node, vmId, next });
}
