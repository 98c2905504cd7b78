// Ends this process, the host of the dynamic providers, when its engine ends. An engine that is killed tells nobody, and what
// a host does after that goes into no state, while the next run may be at the same VMs. What PVE has been asked for goes on
// there, and the next run takes it up.
//
// The engine holds the other end of a host's standard input and writes nothing to it: the input ends when the engine does, at
// once and on every system. The parent's process id would not do: Pulumi's own launcher is a shell between the two, and on
// Windows it never changes. This is JavaScript because a host of our own loads it before Node is ready for TypeScript.

import { Socket } from "node:net";

const { stdin } = process;
// Whoever starts a host by hand may give it a terminal or a file.
if (stdin instanceof Socket && !stdin.isTTY) {
  const end = () => process.exit(1);
  stdin.on("end", end).on("error", end).resume();
  stdin.unref();
}
