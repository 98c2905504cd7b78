import { startHost } from "./providers/dynamic/startHost.ts";

// What this imports by a static `import` would have to be loaded first.
startHost();

export default async () => (await import("./program.ts")).program();
