import * as pulumi from "@pulumi/pulumi";

/**
 * A resource with a dynamic provider, as `pulumi.dynamic.Resource` makes it, but for two costs of that (decision 0013): the
 * provider's code is a text already, which needs no compiler to be found out; and no stack traces are kept.
 */
export class DynamicResource extends pulumi.CustomResource {
  /** @param code what `shell` gives */
  constructor(type: string, code: string, name: string, props: pulumi.Inputs, opts?: pulumi.CustomResourceOptions) {
    // The SDK notes four stack traces for each property of a resource, in case a promise is never settled. For a fleet of a
    // thousand that would be most of what the program does.
    const { stackTraceLimit } = Error;
    Error.stackTraceLimit = 0;
    try {
      super(`pulumi-nodejs:dynamic/golden-fleet:${type}`, name, { ...props, __provider: code }, opts);
    } finally {
      Error.stackTraceLimit = stackTraceLimit;
    }
  }
}
