import * as pulumi from "@pulumi/pulumi";
import { resourceUrn } from "../fleet/urns.ts";

/**
 * The URN of a dynamic resource of this stack. It is put together by hand: `createUrn` would make the child's inputs depend on
 * its parent, which waits for its children.
 */
export const statusUrn = (type: string, name: string, parentType?: string): string =>
  resourceUrn({ project: pulumi.getProject(), stack: pulumi.getStack() }, type, name, parentType);
