import { vmIdsOf } from "../../../../config/rules/vmIds.ts";
import { type Mark, ownerOf, parseMark } from "../../../../fleet/ownership.ts";
import type { GuestEntry } from "../../../../proxmox/guests.ts";
import type { Facts } from "../../facts.ts";
import { type Check, type Finding, fail, orPass, warn } from "../../finding.ts";
import { clonesOf, templatesOf } from "../../needs.ts";
import { isTrusted } from "../../trust.ts";

/** How many VMs are asked for their mark; of more than that the guest list has to do. */
const ASKED = 30;

interface Taken {
  guest: GuestEntry;
  path: string;
  /** What its mark says if it is this very VM; undefined where the VM's own resource looks at that. */
  resource?: string;
  /** The clone may take over a VM that is not ours. */
  adopt: boolean;
}

/** What stops `up` only there, where it is looked at again: PVE writes the notes, and so the mark, at the end. */
const UNFINISHED: Record<string, string> = {
  create: "is being created",
  clone: "is being cloned, or was until the task died,",
};

const name = ({ type, template, name: own, node, status, vmid }: GuestEntry) => {
  const kind = type === "lxc" ? "container" : template ? "template" : "VM";
  const title = own === undefined ? `${kind} without a name yet` : `${kind} "${own}"`;
  return `VMID ${vmid} is taken by ${title} on node ${node}${template || !status ? "" : ` (${status})`}`;
};

async function look(facts: Facts, { guest, path, resource, adopt }: Taken, index: number): Promise<Finding[]> {
  const other = { path, todo: ["Choose a VMID that is free, or remove that VM if it is no longer needed."] };
  if (guest.type === "lxc" || (index >= ASKED && !adopt))
    return [fail(`${name(guest)}, which this stack did not make`, other)];
  const config = await facts.guestConfig(guest);
  if (!config) return [];
  // The list is some seconds late; the config is not.
  const known = {
    ...guest,
    ...(config.name !== undefined && { name: config.name }),
    ...(config.template !== undefined && { template: Number(config.template) }),
  };
  const unfinished = UNFINISHED[config.lock ?? ""];
  if (unfinished !== undefined) {
    const text = `VMID ${guest.vmid} ${unfinished} on node ${guest.node} (lock: ${config.lock})`;
    return [warn(`${text}; if it is not ours, up will stop there`, { path })];
  }
  const owner = ownerOf(config.description, guest.vmid, facts.fleetId);
  const mark = parseMark(config.description, guest.vmid);
  if (owner === "ours")
    return resource === undefined || mark?.resource === resource ? [] : [renamed(known, path, mark)];
  if (adopt && !known.template) {
    const loser =
      owner === "other-stack"
        ? `; it belongs to stack ${mark?.stack} as ${mark?.resource}, which goes on managing it unless it is taken out of there`
        : "";
    return [
      warn(
        `${name(known)}, and is going to be taken over (adopt: true): from then on it is managed, and deleted, like the others${loser}`,
        {
          path,
        },
      ),
    ];
  }
  if (owner === "foreign") return [fail(`${name(known)}, which this stack did not make`, other)];
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

/** A template on the VMID of another one of this stack, whose VM is deleted at the end of the run only. */
function renamed(guest: GuestEntry, path: string, mark: Mark | undefined): Finding {
  return fail(`${name(guest)}, which this stack made as ${mark?.resource}`, {
    path,
    todo: [
      "Choose a VMID that is free: new templates are made before old ones are deleted.",
      "The VMIDs of replicas follow the order of `nodes`: add nodes at the end, and take them away from the end.",
    ],
  });
}

/** Every VMID of the config is free in the whole cluster, its VM is ours, or the config says that it is to be taken over. */
export const vmIdFree: Check = {
  id: "vmid-free",
  group: "configuration",
  async run(facts) {
    const wanted = vmIdsOf(facts.fleet);
    if (wanted.length === 0) return [];
    const guests = new Map((await facts.guests()).map((guest) => [guest.vmid, guest]));
    const adopted = new Set(clonesOf(facts.fleet).flatMap(({ clone }) => (clone.adopt ? [clone.vmId] : [])));
    const resources = new Map(templatesOf(facts.fleet).map(({ key, template }) => [template.vmId, `templates.${key}`]));
    const taken = wanted.flatMap(({ vmId, path }): Taken[] => {
      const guest = guests.get(vmId);
      const resource = resources.get(vmId);
      if (!guest || (isTrusted(guest, facts) && resource === undefined)) return [];
      return [{ guest, path, adopt: adopted.has(vmId), ...(resource !== undefined && { resource }) }];
    });
    const problems = await Promise.all(taken.map((one, index) => look(facts, one, index)));
    return orPass(problems.flat(), `${wanted.length} VMIDs are free or ours`);
  },
};
