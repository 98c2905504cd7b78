import { enableCompileCache } from "node:module";
import { join } from "node:path";

// Loaded by Node before Pulumi and the program (Pulumi.yaml, nodeargs): what has been compiled once is not compiled again.
enableCompileCache(join(import.meta.dirname, "node_modules/.cache/compile"));
