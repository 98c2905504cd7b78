import * as pulumi from "@pulumi/pulumi";
import type { Slot } from "../providers/templateVm/freeVmId.ts";
import type { Connection } from "../proxmox/client.ts";
import type { Plan } from "./plan.ts";

/** The resource itself knows its URN only once it has been created; the log wants nothing else of it. */
const at = (urn: string) => ({ urn: pulumi.output(urn) }) as pulumi.Resource;
const report = (urn: string) => (message: string) => void pulumi.log.info(message, at(urn), undefined, true);
const error = (urn: string) => (message: string) => void pulumi.log.error(message, at(urn));

/** What asks the cluster is loaded when a hook runs: most runs create no template, and start quicker without it. */
const work = () => import("../providers/templateVm/hooks.ts");

/**
 * What is done around what the plugin does with a VM.
 *
 * @param onPlan told at preview, when nothing is done yet
 */
export function vmHooks(
  key: string,
  slot: Omit<Slot, "notes">,
  connection: Connection,
  onPlan: (plan: Plan) => void,
): pulumi.ResourceHookBinding {
  const slotOf = (inputs: unknown): Promise<Slot> => {
    // Notes that are a secret come as an output.
    const { description } = inputs as { description: pulumi.Input<string> };
    return new Promise((resolve) => pulumi.output(description).apply((notes) => resolve({ ...slot, notes })));
  };
  return {
    beforeCreate: [
      new pulumi.ResourceHook(
        `VMID of ${key} is free`,
        async ({ urn, newInputs }) => {
          if (pulumi.runtime.isDryRun()) onPlan("create");
          else await (await work()).beforeCreate(connection, await slotOf(newInputs), report(urn));
        },
        { onDryRun: true },
      ),
    ],
    beforeUpdate: [
      new pulumi.ResourceHook(
        `VM of ${key} is ours`,
        async ({ urn, newInputs }) => {
          if (pulumi.runtime.isDryRun()) onPlan("update");
          else await (await work()).beforeUpdate(connection, await slotOf(newInputs), report(urn));
        },
        { onDryRun: true },
      ),
    ],
    onError: [
      new pulumi.ErrorHook(`${key} failed`, async ({ urn, newInputs, errors, failedOperation: operation }) =>
        (await work()).afterFailure(
          connection,
          await slotOf(newInputs),
          { operation, errors },
          { report: report(urn), error: error(urn) },
        ),
      ),
    ],
  };
}

export function snippetHooks(name: string, place: { node: string; datastore: string }): pulumi.ResourceHookBinding {
  return {
    onError: [
      new pulumi.ErrorHook(`${name} was not uploaded`, async ({ urn, errors }) => {
        error(urn)((await work()).snippetFailure(name, place, errors[0] ?? ""));
        return false;
      }),
    ],
  };
}
