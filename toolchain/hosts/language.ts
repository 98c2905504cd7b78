// The engine starts this file. What the host needs is loaded after the first import has done its work, not before.

import "../../fastStart.ts";

await import("./languageHost.ts");
