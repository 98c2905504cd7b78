import { cp, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { stringify } from "yaml";
import type { Lab } from "../../lab/lab.ts";
import { checkout } from "../../toolchain/paths.ts";
import type { Contender } from "../contender.ts";
import { fleetOf, gateway, prefixLength, templateVmId } from "../fleet.ts";
import { findAnsible } from "../peers/ansible.ts";
import { openOnLab } from "./labFolder.ts";

/** `user@realm!name=secret` in the parts that the modules want. */
function login(lab: Lab) {
  const [, user, token_id, token_secret] = /^(.+)!(.+?)=(.+)$/.exec(lab.rootToken) ?? [];
  const { hostname: host, port } = new URL(lab.endpoint);
  return { host, port: Number(port), user, token_id, token_secret };
}

/**
 * `ansible-playbook` with the modules of community.proxmox: `serial` loops over the clones, `free` has a host for each.
 * There is no preview: the modules that change something skip themselves with `--check`.
 */
export function ansible(name: string, how: "serial" | "free", forks: number): Contender {
  return {
    name,
    available: () => findAnsible(checkout),
    open: () =>
      openOnLab(async (dir, lab) => {
        const peer = findAnsible(checkout);
        const playbooks = join(dir, "playbooks");
        await cp(join(import.meta.dirname, "ansible"), playbooks, { recursive: true });
        await mkdir(join(dir, "home"));
        const publicKey = (await readFile(lab.ssh.publicKeyFile, "utf8")).trim();
        const env = {
          HOME: join(dir, "home"),
          LC_ALL: "C.UTF-8",
          REQUESTS_CA_BUNDLE: lab.caFile,
          // What speeds it up: no interpreter search, modules through a pipe instead of files.
          ANSIBLE_PYTHON_INTERPRETER: peer.python,
          ANSIBLE_PIPELINING: "true",
          ANSIBLE_FORKS: String(forks),
          ANSIBLE_NOCOLOR: "true",
          ANSIBLE_RETRY_FILES_ENABLED: "false",
        };
        return {
          async want(clones) {
            const fleet = fleetOf(clones).map((clone) => ({
              name: clone.name,
              vm_id: clone.vmId,
              address: `${clone.address}/${prefixLength}`,
            }));
            const checksum = lab.image.checksum.replace("sha256:", "");
            const vars = {
              ansible_connection: "local",
              api: login(lab),
              image: { url: lab.image.url, checksum },
              ssh_public_key: publicKey,
              template_id: templateVmId,
              gateway,
            };
            const hosts = Object.fromEntries(fleet.map(({ name: host, ...of }) => [host, of]));
            const all = { hosts: { localhost: { fleet } }, vars, children: { clones: { hosts } } };
            await writeFile(join(playbooks, "inventory.yml"), stringify({ all }));
          },
          command(phase) {
            if (phase === "preview") return undefined;
            const playbook = phase === "destroy" ? `destroy-${how}.yml` : `${how}.yml`;
            return { file: peer.playbook, args: ["-i", "inventory.yml", playbook], cwd: playbooks, env };
          },
          stateBytes: async () => undefined,
        };
      }),
  };
}
