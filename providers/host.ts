// The states of all stacks name this file (see dynamic/shell.ts), so it stays where it is.
export { run } from "./dynamic/host.ts";
