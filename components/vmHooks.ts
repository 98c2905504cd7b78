import * as pulumi from "@pulumi/pulumi";
import { freeVmId, type Slot } from "../providers/vmId/guard.ts";
import { createFailed } from "../providers/vmId/onError.ts";
import type { PveClient } from "../proxmox/client.ts";

/** What is done around the creation of a VM, which is the plugin's. */
export function vmHooks(key: string, slot: Omit<Slot, "notes">, client: PveClient): pulumi.ResourceHookBinding {
  const slotOf = (inputs: unknown): Slot => ({ ...slot, notes: (inputs as { description: string }).description });
  // The resource itself knows its URN only once it has been created; the log wants nothing else of it.
  const at = (urn: string) => ({ urn: pulumi.output(urn) }) as pulumi.Resource;
  const report = (urn: string) => (message: string) => void pulumi.log.info(message, at(urn), undefined, true);
  return {
    beforeCreate: [
      new pulumi.ResourceHook(`VMID of ${key} is free`, async ({ urn, newInputs }) => {
        await freeVmId(client, slotOf(newInputs), report(urn));
      }),
    ],
    onError: [
      new pulumi.ErrorHook(`${key} was not created`, ({ urn, newInputs, errors }) =>
        createFailed(client, slotOf(newInputs), errors, {
          report: report(urn),
          error: (message) => void pulumi.log.error(message, at(urn)),
        }),
      ),
    ],
  };
}
