// npm run bench:peers: builds and installs what this program is compared with, into .toolchain.

import { join } from "node:path";
import { runCommand } from "../../toolchain/command.ts";
import { interruptible } from "../../toolchain/interrupt.ts";
import { withLock } from "../../toolchain/lock.mjs";
import { checkout } from "../../toolchain/paths.ts";
import { progressOn } from "../../toolchain/progress.ts";
import { ansibleVersion, ensureAnsible, findAnsible } from "./ansible.ts";
import { ensureOpenTofu, findOpenTofu, openTofuVersion, providerVersion } from "./opentofu.ts";

const progress = progressOn(process.stderr);

function isHere(find: () => unknown): boolean {
  try {
    find();
    return true;
  } catch {
    return false;
  }
}

const status = (here: boolean, missing: string) => (here ? "is here" : missing);

try {
  const tofu = isHere(() => findOpenTofu(checkout));
  const ansible = isHere(() => findAnsible(checkout));
  const building = "will be built from Go modules (about 10 minutes on two cores)";
  progress.line(`OpenTofu ${openTofuVersion()} with bpg/proxmox ${providerVersion()}: ${status(tofu, building)}`);
  progress.line(`Ansible ${ansibleVersion()}: ${status(ansible, "will be installed from PyPI (about 700 MB)")}`);
  if (!tofu && (await runCommand("go", ["version"])).code !== 0)
    throw new Error("`go` does not run: install Go 1.26 or newer (Debian, Ubuntu: golang-go; or https://go.dev/dl)");
  await interruptible((signal) =>
    withLock(
      join(checkout.store, "build.lock"),
      async () => {
        await ensureOpenTofu(checkout, progress, signal);
        await ensureAnsible(checkout, progress, signal);
      },
      {
        onWait: (pid) => progress.line(`process ${pid} is building in .toolchain: waiting for it`),
        onTick: () => signal.throwIfAborted(),
      },
    ),
  );
  progress.line("ready: npm run bench");
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : error}\n`);
  process.exitCode = 1;
}
