import { cp, mkdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { runCommand } from "../../toolchain/command.ts";
import { checkout } from "../../toolchain/paths.ts";
import type { Contender } from "../contender.ts";
import { fleetOf, gateway, prefixLength, templateVmId } from "../fleet.ts";
import type { Command } from "../measure/cost.ts";
import { findOpenTofu, mirrorConfig } from "../peers/opentofu.ts";
import { openOnLab } from "./labFolder.ts";

/** `tofu apply` with bpg's provider out of a file-system mirror, state in a file. */
export function openTofu(name: string, parallelism: number): Contender {
  return {
    name,
    available: () => findOpenTofu(checkout),
    open: () =>
      openOnLab(async (dir, lab) => {
        const peer = findOpenTofu(checkout);
        const config = join(dir, "config");
        const home = join(dir, "home");
        await mkdir(join(home, ".ssh"), { recursive: true, mode: 0o700 });
        await mkdir(config);
        await cp(join(import.meta.dirname, "opentofu/main.tf"), join(config, "main.tf"));
        await writeFile(join(dir, "tofurc"), mirrorConfig(peer));
        const env = {
          // The provider writes host keys to ~/.ssh/known_hosts.
          HOME: home,
          TF_CLI_CONFIG_FILE: join(dir, "tofurc"),
          TF_IN_AUTOMATION: "1",
          CHECKPOINT_DISABLE: "1",
          SSL_CERT_FILE: lab.caFile,
        };
        const tofu = (...args: string[]): Command => ({ file: peer.tofu, args, cwd: config, env });
        const publicKey = (await readFile(lab.ssh.publicKeyFile, "utf8")).trim();
        const want = (clones: number) =>
          writeFile(
            join(config, "terraform.tfvars.json"),
            JSON.stringify({
              endpoint: lab.endpoint,
              api_token: lab.rootToken,
              ssh: { address: lab.ssh.address, port: lab.ssh.port, private_key_file: lab.ssh.privateKeyFile },
              ssh_public_key: publicKey,
              image: { url: lab.image.url, checksum: lab.image.checksum.replace("sha256:", "") },
              template_id: templateVmId,
              gateway,
              clones: Object.fromEntries(
                fleetOf(clones).map(({ name: clone, vmId, address }) => [
                  clone,
                  { vm_id: vmId, address: `${address}/${prefixLength}` },
                ]),
              ),
            }),
          );
        await want(0);
        const init = await runCommand(peer.tofu, ["init", "-input=false", "-no-color"], {
          cwd: config,
          env: { ...process.env, ...env },
        });
        if (init.code !== 0) throw new Error(`tofu init failed:\n${init.stdout}${init.stderr}`);
        const usual = ["-no-color", "-input=false", `-parallelism=${parallelism}`];
        return {
          want,
          command(phase) {
            if (phase === "preview") return tofu("plan", ...usual);
            return tofu(phase === "destroy" ? "destroy" : "apply", "-auto-approve", ...usual);
          },
          stateBytes: async () => (await stat(join(config, "terraform.tfstate"))).size,
        };
      }),
  };
}
