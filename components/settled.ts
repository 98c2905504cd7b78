import * as pulumi from "@pulumi/pulumi";

/**
 * An output that is undefined where an `up` leaves it without a value: of what was never made, and is not made by this run either.
 * From 3.256 on Pulumi says that it is unknown, and whatever is made from something unknown is unknown as well: one such clone,
 * and the run would tell nothing of all the others. At preview, what is unknown stays so.
 */
export function settled<T>(output: pulumi.Output<T>): pulumi.Output<T | undefined> {
  if (pulumi.runtime.isDryRun()) return output;
  // Every output has it, but the SDK's types do not.
  const { isKnown } = output as pulumi.Output<T> & { isKnown: Promise<boolean> };
  return pulumi.output(isKnown.then((known) => (known ? output : undefined))) as pulumi.Output<T | undefined>;
}
