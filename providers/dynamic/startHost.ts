import { runtime } from "@pulumi/pulumi";

/**
 * Has the engine start the host of the dynamic providers now, beside the program, and not when the first resource is
 * registered. The engine starts a host when it is asked for any function of it; this one does not exist, which the host says.
 */
export function startHost(): void {
  runtime.invoke("pulumi-nodejs:host:start", {}).catch(() => undefined);
}
