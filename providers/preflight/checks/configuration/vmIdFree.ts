import { vmIdsOf } from "../../../../config/rules/vmIds.ts";
import type { GuestEntry } from "../../../../proxmox/guests.ts";
import { ownerOf, parseMark } from "../../../../proxmox/ownership.ts";
import type { Facts } from "../../facts.ts";
import { type Check, type Finding, fail, orPass, warn } from "../../finding.ts";
import { isTrusted } from "../../trust.ts";

/** How many VMs are asked for their mark; of more than that the guest list has to do. */
const ASKED = 30;

interface Taken {
  guest: GuestEntry;
  path: string;
}

const name = ({ type, template, name: own, node, status, vmid }: GuestEntry) => {
  const kind = type === "lxc" ? "container" : template ? "template" : "VM";
  const title = own === undefined ? `${kind} without a name yet` : `${kind} "${own}"`;
  return `VMID ${vmid} is taken by ${title} on node ${node}${template || !status ? "" : ` (${status})`}`;
};

async function look(facts: Facts, { guest, path }: Taken, index: number): Promise<Finding[]> {
  const other = { path, todo: ["Choose a VMID that is free, or remove that VM if it is no longer needed."] };
  if (guest.type === "lxc" || index >= ASKED) return [fail(`${name(guest)}, which this stack did not make`, other)];
  const config = await facts.guestConfig(guest);
  if (!config) return [];
  // The list is some seconds late; the config is not.
  const known = {
    ...guest,
    ...(config.name !== undefined && { name: config.name }),
    ...(config.template !== undefined && { template: Number(config.template) }),
  };
  // PVE writes the notes, and so the mark, when it has made the disks. Whoever wants to create the VM looks again.
  if (config.lock === "create")
    return [
      warn(`VMID ${guest.vmid} is being created on node ${guest.node}; if it is not ours, up will stop there`, {
        path,
      }),
    ];
  const owner = ownerOf(config.description, guest.vmid, facts.fleetId);
  if (owner === "ours") return [];
  if (owner === "foreign") return [fail(`${name(known)}, which this stack did not make`, other)];
  const mark = parseMark(config.description);
  return [
    fail(`${name(known)}, which stack ${mark?.stack} made as ${mark?.resource}`, {
      path,
      todo: [
        "Choose a VMID that is free. If that stack's state is lost and the VM is not needed any more, remove it:",
        `on ${guest.node}: qm destroy ${guest.vmid} --purge`,
      ],
    }),
  ];
}

/** Every VMID of the config is free in the whole cluster, or its VM is ours. */
export const vmIdFree: Check = {
  id: "vmid-free",
  group: "configuration",
  async run(facts) {
    const wanted = vmIdsOf(facts.fleet);
    if (wanted.length === 0) return [];
    const guests = new Map((await facts.guests()).map((guest) => [guest.vmid, guest]));
    const taken = wanted.flatMap(({ vmId, path }): Taken[] => {
      const guest = guests.get(vmId);
      return guest && !isTrusted(guest, facts) ? [{ guest, path }] : [];
    });
    const problems = await Promise.all(taken.map((one, index) => look(facts, one, index)));
    return orPass(problems.flat(), `${wanted.length} VMIDs are free or ours`);
  },
};
