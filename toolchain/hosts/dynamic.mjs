// Host of the program's dynamic providers: the one in the program's own @pulumi/pulumi, so that the SDK that
// serialised a provider is the one that reads it. The engine starts it in the program's folder. What makes Node start
// quickly comes before all else, so this is not TypeScript.

import "../../fastStart.mjs";
import { createRequire } from "node:module";
import { join } from "node:path";

/** How long the host may outlive an engine that was killed. */
const checkEveryMs = 1_000;

const parent = process.ppid;
// The engine ends its hosts itself, but not if it is killed; a host that nobody owns would go on for ever.
setInterval(() => {
  if (process.ppid !== parent) process.exit(1);
}, checkEveryMs).unref();

createRequire(join(process.cwd(), "package.json"))("@pulumi/pulumi/cmd/dynamic-provider");
