import type * as pulumi from "@pulumi/pulumi";

/** What the engine is going to do with a resource. */
export type Plan = "create" | "update" | "same";

/** Whether an output has its value already. The SDK keeps this to itself, but its previews are made of it. */
export const isKnown = (output: pulumi.Output<unknown>): Promise<boolean> =>
  (output as unknown as { isKnown: Promise<boolean> }).isKnown;

/**
 * What the engine has decided, told by what it leaves unknown at preview: the id of a resource that is made, or made anew, and
 * the outputs of one of ours that is changed.
 *
 * @param output one that the state has of each such resource
 */
export async function planOf(resource: pulumi.CustomResource, output: pulumi.Output<unknown>): Promise<Plan> {
  if (!(await isKnown(resource.id))) return "create";
  return (await isKnown(output)) ? "same" : "update";
}
