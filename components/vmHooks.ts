import * as pulumi from "@pulumi/pulumi";
import { failure } from "../providers/failure.ts";
import { freeVmId, type Slot } from "../providers/vmId/guard.ts";
import { createFailed, plainText } from "../providers/vmId/onError.ts";
import type { PveClient } from "../proxmox/client.ts";
import { ProxmoxError } from "../proxmox/errors.ts";

/** The resource itself knows its URN only once it has been created; the log wants nothing else of it. */
const at = (urn: string) => ({ urn: pulumi.output(urn) }) as pulumi.Resource;
const report = (urn: string) => (message: string) => void pulumi.log.info(message, at(urn), undefined, true);
const error = (urn: string) => (message: string) => void pulumi.log.error(message, at(urn));

/** What is done around the creation of a VM, which is the plugin's. */
export function vmHooks(key: string, slot: Omit<Slot, "notes">, client: PveClient): pulumi.ResourceHookBinding {
  const slotOf = (inputs: unknown): Slot => ({ ...slot, notes: (inputs as { description: string }).description });
  return {
    beforeCreate: [
      new pulumi.ResourceHook(`VMID of ${key} is free`, async ({ urn, newInputs }) => {
        await freeVmId(client, slotOf(newInputs), report(urn));
      }),
    ],
    onError: [
      new pulumi.ErrorHook(`${key} was not created`, ({ urn, newInputs, errors }) =>
        createFailed(client, slotOf(newInputs), errors, { report: report(urn), error: error(urn) }),
      ),
    ],
  };
}

/** A snippet that the plugin could not upload: what it was for, and what to do. */
export function snippetHooks(name: string, place: { node: string; datastore: string }): pulumi.ResourceHookBinding {
  return {
    onError: [
      new pulumi.ErrorHook(`${name} was not uploaded`, ({ urn, errors }) => {
        const next =
          "Run `pulumi preview`: preflight tries the SSH login and the snippets folder, and says what is wrong with them.";
        const answer = new ProxmoxError("upload", plainText(errors[0] ?? ""));
        error(urn)(failure(answer, { ...place, stage: `upload the snippet ${name}`, next }).message);
        return false;
      }),
    ],
  };
}
