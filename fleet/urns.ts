import * as pulumi from "@pulumi/pulumi";

/**
 * The URN of a dynamic resource of ours, under which it shows its progress. It is put together by hand: `createUrn` would
 * make the child's inputs depend on its parent, which waits for its children.
 *
 * @param parentType type of the component it belongs to, if it belongs to one
 */
export function statusUrn(type: string, name: string, parentType?: string): string {
  const qualified = `${parentType ? `${parentType}$` : ""}pulumi-nodejs:dynamic/golden-fleet:${type}`;
  return `urn:pulumi:${pulumi.getStack()}::${pulumi.getProject()}::${qualified}::${name}`;
}
