import { z } from "zod";
import { parseRange } from "./addressRange.ts";
import { firstBoot } from "./cloudInit.ts";
import { gpu, usb } from "./devices.ts";
import {
  addressing,
  bridge,
  cores,
  diskGiB,
  gateway4,
  gateway6,
  hostName,
  ipv4,
  ipv6,
  key,
  memoryMiB,
  nodeNames,
  notes,
  vlan,
} from "./fields.ts";
import { cpuSet, datastoreId, macAddress, nodeName, poolId, tag, vmId } from "./formats.ts";
import { diskOptions } from "./template.ts";
import { parseVmIds } from "./vmIdRange.ts";

/** The most clones that one set may have. */
const MOST_CLONES = 5000;

const interfaceOptions = {
  bridge: bridge.describe("bridge; default: the template's"),
  vlan: vlan.describe("VLAN tag; default: the template's (PVE: tag)"),
};

const startup = z
  .strictObject({
    order: z.int().min(0).optional().describe("lower ones start first, and stop last"),
    upSeconds: z.int().min(0).optional().describe("seconds until the next VM is started (PVE: up)"),
    downSeconds: z.int().min(0).optional().describe("seconds that the guest gets to shut down (PVE: down)"),
  })
  .refine((value) => Object.values(value).some((part) => part !== undefined), {
    error: "expected order, upSeconds or downSeconds",
  });

export type Startup = z.output<typeof startup>;

/** A disk of a clone's own; its options are those of a template's. */
const ownDisk = z.strictObject({
  ...diskOptions,
  sizeGiB: diskGiB.describe("size in GiB; the disk grows to it and never shrinks"),
  datastore: datastoreId
    .optional()
    .describe("datastore; default: the set's with mode: full, or else cluster.datastores.disks"),
});

const range = (family: "ipv4" | "ipv6", example: string) =>
  z.string().refine((text) => parseRange(text, family) !== undefined, {
    error: `expected first-last/prefix within one subnet, for example "${example}"`,
  });

/** What a set may change of its template, and a clone of its set. */
const hardware = (whose: string) => ({
  cores: cores.optional().describe(`cores a socket; default: ${whose} (PVE: cores)`),
  memoryMiB: memoryMiB.optional().describe(`memory in MiB; default: ${whose} (PVE: memory)`),
  diskGiB: diskGiB
    .optional()
    .describe(`size of the boot disk in GiB, which grows to it and never shrinks; default: ${whose}`),
  cpuLimit: z
    .number()
    .min(0)
    .max(128)
    .optional()
    .describe(`CPU time in cores, for example 1.5; 0: no limit; default: ${whose} (PVE: cpulimit)`),
  cpuUnits: z
    .int()
    .min(1)
    .max(10_000)
    .optional()
    .describe(`weight against other VMs of the node; default: ${whose}, in PVE 100 (PVE: cpuunits)`),
  affinity: cpuSet
    .optional()
    .describe(
      `cores of the node that the VM runs on; needs a root@pam password login; default: ${whose} (PVE: affinity)`,
    ),
  numa: z.boolean().optional().describe(`NUMA topology; default: ${whose} (PVE: numa)`),
  hotplug: z
    .array(z.enum(["network", "disk", "usb", "cpu", "memory", "cloudinit"]))
    .optional()
    .describe(
      `what can be plugged in while the guest runs, [] for nothing; memory needs numa; default: ${whose}, in PVE network, disk and usb (PVE: hotplug)`,
    ),
  protection: z
    .boolean()
    .optional()
    .describe(
      `neither Pulumi nor PVE deletes the VM, and no change that needs a new one is taken; default: ${whose === "the set's" ? whose : "the template's, or false where that was made elsewhere"} (PVE: protection, Pulumi: protect)`,
    ),
  startup: startup
    .optional()
    .describe(`when it starts and stops with its node; needs Sys.Modify on /; default: ${whose} (PVE: startup)`),
  gpus: z.array(gpu).max(16).optional().describe(`PCI devices in place of ${whose}; []: none (PVE: hostpciN)`),
  usb: z.array(usb).max(14).optional().describe(`USB devices in place of ${whose}; []: none (PVE: usbN)`),
  extraDisks: z
    .array(ownDisk)
    .max(16)
    .optional()
    .describe(
      `further disks, empty at first, beside the template's; one that is taken out is deleted; default: ${whose === "the set's" ? whose : "none"}`,
    ),
  keepDisks: z
    .boolean()
    .optional()
    .describe(
      `true: when the clone is made anew, its extraDisks stay with all that is on them; default: ${whose === "the set's" ? whose : "false"}`,
    ),
});

/** The keys of `hardware`: a clone has its own, or its set's. */
export const HARDWARE = Object.keys(hardware("")) as (keyof ReturnType<typeof hardware>)[];

const common = {
  template: key.describe("key of the template in `templates`"),
  createClones: z
    .literal([true, false, "keep"])
    .default(true)
    .describe(
      "false: the set has no clones; those that exist are deleted; keep: no clone is made, and those that exist stay as they are",
    ),
  mode: z
    .enum(["linked", "full"])
    .default("linked")
    .describe("linked: copy on write on the template's disks; full: own disks"),
  datastore: datastoreId.optional().describe("datastore of full clones; default: the template's"),
  nodes: nodeNames.optional().describe("nodes that the clones run on; default: all nodes of the template"),
  placement: z
    .enum(["packed", "spread", "memory"])
    .default("spread")
    .describe(
      "which of the nodes, chosen when a clone is made: spread: in turn; packed: the first one that has the memory; memory: the one with the most free memory",
    ),
  start: z.boolean().default(true).describe("start each clone and wait as `waitFor` says"),
  onBoot: z.boolean().default(false).describe("start with the node (PVE: onboot)"),
  waitFor: z
    .enum(["none", "started", "agent", "cloud-init"])
    .optional()
    .describe(
      "when a started clone is ready: none: at once; started: it runs; agent: its guest agent answers; cloud-init: its first boot has finished; default: started, but agent for a clone without a static address whose template installs qemu-guest-agent, which alone can tell the address",
    ),
  readyTimeoutSeconds: z
    .int()
    .min(1)
    .max(3600)
    .default(300)
    .describe("seconds until a clone that is not ready is a warning"),
  shutdownSeconds: z
    .int()
    .min(0)
    .max(3600)
    .default(60)
    .describe("seconds that a guest may take to shut down before it is stopped; 0: stop at once"),
  tags: z.array(tag).default([]).describe("PVE tags of the clones"),
  description: notes.default("").describe("notes of the clones, Markdown; the ownership mark is added below them"),
  pool: poolId.optional().describe("resource pool of the clones"),
  ...hardware("the template's"),
  nics: z
    .array(z.strictObject(interfaceOptions))
    .max(8)
    .default([])
    .describe("changes to the template's network interfaces, in their order; further ones are added (virtio)"),
  cloudInit: firstBoot
    .optional()
    .describe(
      "first-boot configuration of these clones, over the template's; in its texts, {name}, {vmId}, {ip} and {n} stand for the clone's",
    ),
  vmIds: z
    .string()
    .refine((text) => parseVmIds(text) !== undefined, {
      error: 'expected first-last, for example "9100-9199", with VMIDs from 100 to 999999999',
    })
    .optional()
    .describe(
      "VMIDs for clones that name none: of this range the first that are free, chosen once and kept in Pulumi's state",
    ),
  ips: range("ipv4", "10.0.0.21-10.0.0.70/24")
    .optional()
    .describe(
      "IPv4 addresses for clones that name none, first-last/prefix: the first that neither the config of another guest, nor a guest agent, nor a node has, chosen once and kept",
    ),
  ip6s: range("ipv6", "2001:db8::21-2001:db8::70/64")
    .optional()
    .describe("IPv6 addresses for clones that name none, by the same rule"),
  gateway: gateway4.optional().describe("IPv4 gateway of static addresses; a clone may name another one"),
  gateway6: gateway6.optional().describe("IPv6 gateway of static addresses; a clone may name another one"),
  onError: z
    .enum(["continue", "fail"])
    .default("continue")
    .describe(
      "when a clone fails: continue: the others are made, the run succeeds with a warning; fail: the others are made, the run fails",
    ),
  onTemplateChange: z
    .enum(["ignore", "replace"])
    .default("ignore")
    .describe("when the template changes: ignore: clones stay as they are; replace: new clones take their place"),
  maxUnavailable: z
    .int()
    .min(1)
    .default(1)
    .describe("clones that are replaced at the same time, with onTemplateChange: replace"),
  rebootOnChange: z
    .boolean()
    .default(false)
    .describe("true: reboot a running clone for a change that needs it; false: the change waits for its next reboot"),
  snapshotBefore: z
    .enum(["update"], {
      error: ({ input }) =>
        input === "replace"
          ? 'a snapshot is a part of its VM, and PVE deletes it with the VM that is replaced; expected "update", and for what clones hold a backup job of PVE (Datacenter > Backup)'
          : undefined,
    })
    .optional()
    .describe(
      "update: PVE takes a snapshot, without memory, of a clone that exists before its hardware, addresses or disk size change, or it is rebooted for that; only with mode: full; default: none",
    ),
  snapshotKeepDays: z
    .int()
    .min(1)
    .max(365)
    .default(7)
    .describe("days that these snapshots are kept; older ones go when the next one is taken"),
  rotateKeys: z
    .boolean()
    .default(false)
    .describe(
      "true: the login user of clones that exist gets exactly the SSH keys of the config, by the guest agent; keys that were added by hand are removed",
    ),
};

/** What a set and a clone may change of their hardware, apart from network interfaces. */
export type Hardware = Partial<Pick<z.output<typeof listed>, (typeof HARDWARE)[number]>>;

const OWN_ADDRESSES = ["ip", "gateway", "ip6", "gateway6"] as const;

const cloneNics = z
  .array(
    z.strictObject({
      bridge: bridge.describe("bridge; default: the set's"),
      vlan: vlan.describe("VLAN tag; default: the set's (PVE: tag)"),
      mac: macAddress
        .transform((text) => text.toUpperCase())
        .optional()
        .describe("MAC address, for a DHCP reservation; default: PVE makes one (PVE: netN)"),
      ip: ipv4
        .optional()
        .describe("IPv4: dhcp, or address/prefix; default: cloud-init does not set it up (PVE: ipconfigN ip=)"),
      gateway: gateway4.optional().describe("IPv4 gateway, only with a static `ip` (PVE: ipconfigN gw=)"),
      ip6: ipv6.optional().describe("IPv6: auto (SLAAC), dhcp, or address/prefix (PVE: ipconfigN ip6=)"),
      gateway6: gateway6.optional().describe("IPv6 gateway, only with a static `ip6` (PVE: ipconfigN gw6=)"),
    }),
  )
  .max(8)
  .check(({ value, issues }) => {
    for (const field of OWN_ADDRESSES) {
      const input = value[0]?.[field];
      if (input === undefined) continue;
      const message = `expected it in the clone itself: ${field} beside name and vmId is that of the first network interface`;
      issues.push({ code: "custom", path: [0, field], message, input });
    }
  });

const clone = z.strictObject({
  name: hostName.describe("VM name and host name of the guest"),
  vmId: vmId.optional().describe("VMID, unique in the cluster; default: one of the set's `vmIds`"),
  ...addressing,
  ip: ipv4
    .optional()
    .describe(
      "IPv4 of the first network interface: dhcp, or address/prefix; default: one of the set's `ips`, else dhcp (PVE: ipconfig0 ip=)",
    ),
  node: nodeName.optional().describe("node that the clone runs on, whatever the set's nodes; default: by placement"),
  ...hardware("the set's"),
  description: notes.optional().describe("notes, Markdown; default: the set's"),
  tags: z.array(tag).default([]).describe("PVE tags, added to the set's"),
  nics: cloneNics
    .default([])
    .describe("changes to the set's network interfaces, in the template's order; further ones are added (virtio)"),
  cloudInit: firstBoot.optional().describe("first-boot configuration of this clone, over the set's"),
  adopt: z
    .boolean()
    .default(false)
    .describe(
      "true: take over an existing VM of this VMID as this clone; from then on it is managed, and deleted, like the others",
    ),
});

export type CloneConfig = z.output<typeof clone>;

const listed = z.strictObject({
  ...common,
  clones: z.array(clone).max(MOST_CLONES).describe("the clones, one by one"),
});

/** `{n}`, or with a width `{n:3}` */
const NUMBER = /\{n(?::([1-9]))?\}/g;

/** The name of the clone that is number `n` of a counted set. */
export const numberedName = (pattern: string, n: number): string =>
  pattern.replace(NUMBER, (_, width?: string) => String(n).padStart(Number(width ?? 0), "0"));

const counted = z.strictObject({
  ...common,
  count: z.int().min(0).max(MOST_CLONES).describe("how many clones"),
  namePattern: z
    .string()
    .refine((text) => numberedName(text, 1) !== text, {
      error: 'expected a pattern with {n}, for example "web-{n}"',
      abort: true,
    })
    .refine((text) => hostName.safeParse(numberedName(text, MOST_CLONES)).success, {
      error: 'expected a pattern that makes host names, for example "web-{n}"',
    })
    .describe("their names; {n} counts from 1, {n:3} from 001"),
  firstVmId: vmId.optional().describe("VMID of the first, the others follow; or `vmIds`"),
  ipRange: range("ipv4", "10.0.0.21-10.0.0.70/24")
    .optional()
    .describe("their IPv4 addresses in turn, first-last/prefix; or `ips`; default: dhcp"),
  ip6Range: range("ipv6", "2001:db8::21-2001:db8::70/64")
    .optional()
    .describe("their IPv6 addresses in turn, first-last/prefix; or `ip6s`; default: no IPv6"),
  adopt: z
    .array(vmId)
    .default([])
    .describe(
      "VMIDs of the set whose existing VMs are taken over as its clones; from then on they are managed, and deleted, like the others",
    ),
});

/** A set of clones of one template, listed one by one or counted. */
export const cloneSetSchema = z.union([listed, counted]);

/** The kind of set that was meant, so that errors speak of that one alone. */
export const cloneSetSchemaFor = (raw: unknown) =>
  typeof raw === "object" && raw !== null && ("count" in raw || "namePattern" in raw) ? counted : listed;

export type ListedSet = z.output<typeof listed>;
export type CountedSet = z.output<typeof counted>;
export type CloneSetConfig = z.output<typeof cloneSetSchema>;
