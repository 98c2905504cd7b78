// Host of the program's dynamic providers: the one in the program's own @pulumi/pulumi, so that the SDK that
// serialised a provider is the one that reads it. The engine starts it in the program's folder. What makes Node start
// quickly comes before all else, so this is not TypeScript.

import "../../fastStart.mjs";
import "../../providers/dynamic/endWithEngine.mjs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

createRequire(join(process.cwd(), "package.json"))("@pulumi/pulumi/cmd/dynamic-provider");

// What the program asks first is loaded while the program itself is. Whoever asks is told what is wrong with it.
for (const module of ["providers/host.ts", "providers/preflight/provider.ts"])
  import(pathToFileURL(module).href).catch(() => {});
