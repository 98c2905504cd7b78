import { markText, parseMark } from "../../fleet/ownership.ts";
import { fleetTag } from "../../fleet/tags.ts";
import type { Connection } from "../../proxmox/client.ts";
import { ProxmoxError } from "../../proxmox/errors.ts";
import type { Report } from "../dynamic/progress.ts";
import { failure } from "../failure.ts";
import { type FoundVm, nameOf } from "../guest/lookUp.ts";
import { clientOf } from "../run/connect.ts";
import { atRest } from "./atRest.ts";
import { freeVmId, halfMade, type Slot } from "./freeVmId.ts";
import { createFailed, type Messages, plainText, updateFailed } from "./onError.ts";
import { otherOwner } from "./takenOver.ts";

/** Before the plugin creates a VM: see `freeVmId`. */
export async function beforeCreate(connection: Connection, slot: Slot, report: Report): Promise<void> {
  await freeVmId(clientOf(connection), slot, report);
}

/** A template with the fleet's tag, whose notes somebody has emptied: the change writes them anew. */
const hasLostMark = ({ config: { template, tags = "" }, mark }: FoundVm, fleetId: string): boolean =>
  mark === undefined && Number(template ?? 0) === 1 && tags.split(/[;,\s]+/).includes(fleetTag(fleetId));

/**
 * Before the plugin changes a VM: it changes what has the VMID, whoever made it. A refresh takes up whatever VM it finds on
 * the VMID, on any node.
 */
export async function beforeUpdate(connection: Connection, slot: Slot, report: Report): Promise<void> {
  const { vmId, node, notes } = slot;
  const mark = parseMark(notes, vmId);
  const fleetId = mark?.fleetId ?? "";
  const found = await atRest(clientOf(connection), { vmId, node, fleetId }, report);
  const refuse = (code: string, text: string, next: string) =>
    failure(new ProxmoxError(code, text), { stage: "change the VM", node, vmId, next });
  if (found.kind === "absent")
    throw refuse("missing", `VM ${vmId} does not exist`, "Run `pulumi refresh`, then `pulumi up`: it is made anew.");
  // PVE itself says what there is to say of a node that does not answer.
  if (found.kind === "unreachable") return;
  if (found.kind === "vm" && (found.owner === "ours" || hasLostMark(found, fleetId))) return;
  if (found.kind === "vm" && found.busy === "create") throw halfMade(slot, found);
  throw refuse(
    "not-ours",
    `VMID ${vmId} is taken by ${nameOf(found)}, which ${otherOwner(found)}. It is left alone`,
    `Choose another vmId. If it is our VM and only its notes were changed, put this line back into them:${mark ? `\n  ${markText(mark)}` : ""}`,
  );
}

/** After the plugin has failed to create or to change one. */
export function afterFailure(
  connection: Connection,
  slot: Slot,
  { operation, errors }: { operation: string; errors: readonly string[] },
  messages: Messages,
): Promise<boolean> {
  const client = clientOf(connection);
  return operation === "create"
    ? createFailed(client, slot, errors, messages)
    : updateFailed(client, slot, errors, messages);
}

/** A snippet that the plugin could not upload: what it was for, and what to do. */
export function snippetFailure(name: string, place: { node: string; datastore: string }, error: string): string {
  const next =
    "Run `pulumi preview`: preflight tries the SSH login and the snippets folder, and says what is wrong with them.";
  const answer = new ProxmoxError("upload", plainText(error));
  return failure(answer, { ...place, stage: `upload the snippet ${name}`, next }).message;
}
