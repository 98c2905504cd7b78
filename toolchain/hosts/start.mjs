// start.mjs HOST ARGUMENT...: the engine's way to a host. What makes Node start quickly comes before all else, so this is
// not TypeScript.

import "../../fastStart.mjs";

const [host] = process.argv.splice(2, 1);
await import(`./${host}.ts`);
