// Host of the program's dynamic providers: the one in the program's own @pulumi/pulumi, so that the SDK that
// serialised a provider is the one that reads it. The engine starts it in the program's folder. What makes Node start
// quickly comes before all else, so this is not TypeScript.

import "../../fastStart.mjs";
import "../../providers/dynamic/endWithEngine.mjs";
import { createRequire } from "node:module";
import { join } from "node:path";

createRequire(join(process.cwd(), "package.json"))("@pulumi/pulumi/cmd/dynamic-provider");
