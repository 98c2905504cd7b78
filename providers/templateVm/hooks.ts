import type { Connection } from "../../proxmox/client.ts";
import { ProxmoxError } from "../../proxmox/errors.ts";
import type { Report } from "../dynamic/progress.ts";
import { failure } from "../failure.ts";
import { clientOf } from "../run/connect.ts";
import { freeVmId, type Slot } from "./guard.ts";
import { createFailed, plainText, type Says } from "./onError.ts";

/** Before the plugin creates a VM: see `freeVmId`. */
export async function beforeCreate(connection: Connection, slot: Slot, report: Report): Promise<void> {
  await freeVmId(clientOf(connection), slot, report);
}

/** After the plugin has failed to create one: see `createFailed`. */
export function afterFailure(connection: Connection, slot: Slot, errors: readonly string[], says: Says) {
  return createFailed(clientOf(connection), slot, errors, says);
}

/** A snippet that the plugin could not upload: what it was for, and what to do. */
export function snippetFailure(name: string, place: { node: string; datastore: string }, error: string): string {
  const next =
    "Run `pulumi preview`: preflight tries the SSH login and the snippets folder, and says what is wrong with them.";
  const answer = new ProxmoxError("upload", plainText(error));
  return failure(answer, { ...place, stage: `upload the snippet ${name}`, next }).message;
}
