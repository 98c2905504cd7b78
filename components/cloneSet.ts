import * as pulumi from "@pulumi/pulumi";
import { diskNames } from "../config/diskNames.ts";
import {
  addsNic,
  type CloneSet as CloneSetConfig,
  type CloneSource,
  type Fleet,
  type PlacedClone,
} from "../config/fleet.ts";
import { replicasOf } from "../config/replicas.ts";
import { usesSnippets } from "../config/rules/snippets.ts";
import { withSnippets } from "../fleet/cicustom.ts";
import { type CloneBoot, knowsSerial } from "../fleet/cloneBoot.ts";
import { cloneDisks } from "../fleet/cloneDisks.ts";
import { cloneOptions } from "../fleet/cloneOptions.ts";
import { ipConfig } from "../fleet/cloudInit/ipConfig.ts";
import { snippetSources } from "../fleet/cloudInit/sources.ts";
import { installsAgent } from "../fleet/cloudInit/vendorData.ts";
import { loginKeys } from "../fleet/loginKeys.ts";
import { CLONE_SET_TYPE, cloneName } from "../fleet/urns.ts";
import { staticAddress } from "../providers/clone/booted.ts";
import type { CloneInfo } from "../providers/clone/cloneInfo.ts";
import { type CloneInputs, READY_SECONDS, SHUTDOWN_SECONDS } from "../providers/clone/inputs.ts";
import { Clone, type PlaceArgs } from "../providers/clone/resource.ts";
import type { CloneSnippets } from "./cloneSnippets.ts";
import type { FleetContext } from "./fleet.ts";
import { anySecret, hide } from "./secrets.ts";
import { settled } from "./settled.ts";
import type { VmTemplate } from "./vmTemplate.ts";

/** The template of a set on one node. */
export interface Source {
  node: string;
  template: CloneSource;
  vmId: pulumi.Input<number>;
  /** Hash of what it was made from. */
  content: pulumi.Input<string>;
  /** PVE's `cicustom` of clones that are made of it; undefined: they keep the template's. */
  cicustom?: pulumi.Input<string> | undefined;
  /** PVE's `cicustom` of the template itself, which PVE copies into its clones. */
  inherited?: pulumi.Input<string> | undefined;
  /** The run leaves it as it is, whatever its config says. */
  stays?: boolean;
}

/** A template and its replicas, or one that was made elsewhere, as sources of clones; the config sees to it that there is one. */
export function sourcesOf(
  key: string,
  { templates, existing }: Pick<Fleet, "templates" | "existing">,
  made: ReadonlyMap<string, VmTemplate>,
): CloneSetArgs["sources"] {
  const elsewhere = existing[key];
  if (elsewhere) {
    const { node, vmId } = elsewhere;
    const { content, cicustom: inherited } = elsewhere.existing;
    return [{ node, template: elsewhere, vmId, content, inherited }];
  }
  const [first, ...more] = Object.values(replicasOf(templates, key)).flatMap((replica): Source[] => {
    const [template, resource] = [templates[replica], made.get(replica)];
    if (!template || !resource) return [];
    const { vmId, contentHash: content, cloneCicustom: cicustom, cicustom: inherited, stays } = resource;
    return [{ node: template.node, template, vmId, content, cicustom, inherited, stays }];
  });
  if (!first) throw new Error(`there is no template "${key}"`);
  return [first, ...more];
}

export interface CloneSetArgs {
  fleet: FleetContext;
  /** The clone set as the config has it. */
  set: CloneSetConfig;
  /** The set's template, on each node that has it; the first is the one that other nodes clone from. */
  sources: readonly [Source, ...Source[]];
  /** First boots of clones that are not their template's, by VMID. */
  boots?: ReadonlyMap<number, CloneBoot>;
  /** The snippets that these need. */
  snippets?: CloneSnippets | undefined;
  /** VMIDs of the clones that are there, if the set is kept as it is; no others are made. */
  there?: ReadonlySet<number>;
}

/** A clone, and what the config wants of it. */
export interface WantedClone {
  resource: Clone;
  /** All but what is known only later: what its template is made from, and where that is. */
  wish: Omit<CloneInputs, "fleetId" | "template" | "places">;
  nodes: string[];
}

/** What differs from its default: the rest would only fill the state. */
function given<T extends object>(values: T, defaults: Partial<T> = {}): { [K in keyof T]?: Exclude<T[K], undefined> } {
  const keys = (Object.keys(values) as (keyof T)[]).filter(
    (key) => values[key] !== undefined && values[key] !== defaults[key],
  );
  return Object.fromEntries(keys.map((key) => [key, values[key]])) as ReturnType<typeof given<T>>;
}

/** What PVE's `ipconfigN` are to say; the first interface is the clone's own, an empty text leaves one out. */
function ipConfigs(clone: PlacedClone): string[] {
  const further = clone.nics
    .slice(1)
    .map(({ ip, ip6, ...gateways }) => (ip || ip6 ? ipConfig({ ip, ip6, ...gateways }) : ""));
  while (further.at(-1) === "") further.pop();
  return [ipConfig(clone), ...further];
}

/** What is not the template's of the network interfaces, and those that the template does not have. */
function nicChanges(clone: PlacedClone, template: CloneSource, standard: string): CloneInputs["nics"] {
  const changes = clone.nics.map(({ bridge, vlan, mac }, index) => {
    if (!addsNic(template, clone, index)) return given({ bridge, vlan, mac });
    return { added: true as const, ...given({ bridge: bridge ?? standard, vlan, mac }) };
  });
  return changes.some((change) => Object.keys(change).length > 0) ? changes : undefined;
}

/** Hardware that is not the template's. */
function hardware(clone: PlacedClone, template: CloneSource) {
  const { cores, diskGiB, gpus = template.gpus } = clone;
  // A guest with a device of its own cannot give memory back: its balloon goes, as the template's does.
  const getsDevice = gpus.length > 0 && template.gpus.length === 0 && template.balloonMiB === undefined;
  const memoryMiB = clone.memoryMiB ?? (getsDevice ? template.memoryMiB : undefined);
  const { balloonMiB = gpus.length > 0 ? 0 : memoryMiB } = template;
  const options = cloneOptions(clone, template);
  const grows = diskGiB !== undefined && diskGiB > template.disk.sizeGiB;
  return given({
    cores,
    memoryMiB,
    balloonMiB: memoryMiB === undefined ? undefined : Math.min(balloonMiB ?? memoryMiB, memoryMiB),
    diskGiB: grows ? diskGiB : undefined,
    bootDisk: grows ? diskNames(template)[0] : undefined,
    options: Object.keys(options).length > 0 ? options : undefined,
  });
}

/** Disks of its own, and whether they stay when it is made anew. */
function ownDisks({ extraDisks = [], keepDisks }: PlacedClone, template: CloneSource, datastore: string) {
  const disks = cloneDisks(extraDisks, template, datastore);
  return given({
    disks: disks.length > 0 ? disks : undefined,
    keepDisks: keepDisks ? (true as const) : undefined,
    templateDrives: keepDisks ? diskNames(template) : undefined,
  });
}

/** What clones of a source boot with; undefined: what PVE copies of the template. */
function cicustomOf(
  { node, cicustom, inherited }: Source,
  boot: CloneBoot | undefined,
  snippets: CloneSnippets | undefined,
) {
  const own = boot && snippets ? snippets.of(boot, node) : undefined;
  if (!own || own.size === 0) return cicustom;
  const volumes = Object.fromEntries([...own].map(([kind, { volumeId }]) => [kind, volumeId]));
  return pulumi.all([cicustom ?? inherited, volumes]).apply(([template, mine]) => withSnippets(template, mine));
}

/** The nodes that a clone may be on. With `spread` each clone of a set begins with another one. */
function placesOf(clone: PlacedClone, index: number, { set, sources, boots, snippets }: CloneSetArgs) {
  const nodes = clone.node === undefined ? set.nodes : [clone.node];
  const first = set.placement === "spread" ? index % nodes.length : 0;
  const byNode = new Map(sources.map((source) => [source.node, source]));
  return [...nodes.slice(first), ...nodes.slice(0, first)].map((node): PlaceArgs => {
    const source = byNode.get(node) ?? sources[0];
    const { vmId: sourceVmId } = source;
    const cicustom = cicustomOf(source, boots?.get(clone.vmId), snippets);
    return {
      node,
      sourceVmId,
      ...(source.node !== node && { sourceNode: source.node }),
      ...(cicustom && { cicustom }),
    };
  });
}

/** The keys that a clone is to have, if they are changed where it is. */
function rotatedKeys({ set, sources }: CloneSetArgs, cloudInit: CloneSource["cloudInit"]): CloneInputs["rotateKeys"] {
  const login = set.rotateKeys ? loginKeys({ cloudInit }) : undefined;
  // What a template that was made elsewhere has on its disks, nobody knows.
  const older = sources.some(({ template, stays }) => stays || template.existing);
  return login && { ...login, ...(older && { older: true as const }) };
}

/** Whether PVE makes a clone's user-data from the fields of its VM. */
const makesUserData = (template: CloneSource, boot: CloneBoot | undefined): boolean =>
  !usesSnippets(template) && !boot?.snippets.some(({ kind }) => kind === "user");

/** Whether a clone with snippets of its own has not ours as vendor-data, by which alone it takes another address as it is. */
const takesNewInstances = ([{ cicustom, template }]: CloneSetArgs["sources"], boot: CloneBoot | undefined): boolean =>
  boot !== undefined &&
  boot.snippets.length > 0 &&
  !(knowsSerial(template) && (cicustom !== undefined || boot.snippets.some(({ kind }) => kind === "vendor")));

/**
 * The clones of one template. Its children are `vm-<VMID>`: the VMID is what PVE knows a VM by, so a clone keeps its
 * VM when it gets another name or place in the list, when its set gets another name, and when it moves to another set.
 */
export class CloneSet extends pulumi.ComponentResource {
  readonly clones: pulumi.Output<CloneInfo[]>;
  readonly wanted: readonly WantedClone[];

  constructor(key: string, args: CloneSetArgs, opts?: pulumi.ComponentResourceOptions) {
    super(CLONE_SET_TYPE, key, {}, opts);
    const { fleet, set, sources, boots, snippets, there } = args;
    const { cluster, stack, fleetId } = fleet;
    const [{ template, content }] = sources;
    const full = set.mode === "full";
    const wanted: WantedClone[] = [];
    const clones = set.clones.flatMap((clone, index) => {
      const { name, vmId } = clone;
      if (there?.has(vmId) === false) return [];
      const boot = boots?.get(vmId);
      const { agent } = template;
      const { cloudInit } = boot ?? template;
      const dns = cloudInit.dns ?? cluster.network.dns;
      const rotateKeys = rotatedKeys(args, cloudInit);
      const described = [`${clone.path}.description`, `cloneSets.${key}.description`];
      const wish = {
        stack,
        set: key,
        vmId,
        name,
        hostname: dns.domain && !name.includes(".") ? `${name}.${dns.domain}` : name,
        full,
        templateDatastore: template.disk.datastore ?? cluster.datastores.disks,
        ipConfigs: ipConfigs(clone),
        nameservers: dns.servers,
        tags: clone.tags,
        onBoot: set.onBoot,
        start: set.start,
        ...hardware(clone, template),
        ...ownDisks(clone, template, (full && set.datastore) || cluster.datastores.disks),
        ...(makesUserData(template, boot) && { userData: "pve" as const }),
        ...given(
          {
            // A linked clone is where its template's disks are.
            datastore: full ? set.datastore : undefined,
            searchDomain: dns.domain,
            nics: nicChanges(clone, template, cluster.network.bridge),
            description: clone.description,
            pool: set.pool,
            uninherited: template.existing?.uninherited,
            placement: set.placement,
            waitFor: set.waitFor,
            addressByAgent:
              set.waitFor === undefined &&
              set.start &&
              installsAgent({ agent, cloudInit }) &&
              !staticAddress(ipConfigs(clone)),
            readyTimeoutSeconds: set.readyTimeoutSeconds,
            shutdownSeconds: set.shutdownSeconds,
            onTemplateChange: set.onTemplateChange,
            maxUnavailable: set.maxUnavailable,
            rebootOnChange: set.rebootOnChange,
            rotateKeys,
            snapshotDays: set.snapshotBefore && set.snapshotKeepDays,
            adopt: clone.adopt,
            keep: set.keep,
            staysOnNode: template.existing && !set.namesNodes && clone.node === undefined ? (true as const) : undefined,
            firstBoot: boot?.content,
            account: boot?.account,
            pveInstanceId: takesNewInstances(sources, boot) ? (true as const) : undefined,
          },
          {
            description: "",
            placement: "spread",
            waitFor: "started",
            addressByAgent: false,
            readyTimeoutSeconds: READY_SECONDS,
            shutdownSeconds: SHUTDOWN_SECONDS,
            onTemplateChange: "ignore",
            maxUnavailable: 1,
            rebootOnChange: false,
            adopt: false,
          },
        ),
      };
      const places = placesOf(clone, index, args);
      const files = sources.flatMap(({ node }) =>
        boot && snippets ? [...snippets.of(boot, node).values()].map(({ file }) => file) : [],
      );
      const accounts = [template.path, `cloneSets.${key}`, clone.path].flatMap((at) => snippetSources("user", at));
      const hasSecretAccount =
        boot?.account !== undefined && (boot.account.cipassword !== undefined || anySecret(fleet.secrets, accounts));
      const resource = new Clone(
        cloneName(vmId),
        {
          ...wish,
          fleetId,
          template: content,
          places,
          ...given({
            description: hide(fleet.secrets, described, wish.description),
            rotateKeys: rotateKeys && hide(fleet.secrets, accounts, rotateKeys),
            account: wish.account && (hasSecretAccount ? pulumi.secret(wish.account) : wish.account),
          }),
        },
        // In states of earlier versions, the set's key stands in the name.
        {
          parent: this,
          aliases: [{ name: `${key}-${vmId}` }],
          // The engine refuses what would delete the VM at preview, before anything is done.
          ...(clone.protection && { protect: true }),
          // Inputs are in the state as `spec`, where the engine does not know them again.
          ...(anySecret(fleet.secrets, [...described, ...(rotateKeys ? accounts : [])]) && {
            additionalSecretOutputs: ["spec"],
          }),
          ...(files.length > 0 && { dependsOn: files }),
        },
      );
      wanted.push({ resource, wish, nodes: places.map(({ node }) => node) });
      const configured = staticAddress(ipConfigs(clone));
      const info = pulumi
        .all([
          resource.node,
          resource.status,
          resource.address,
          resource.addresses,
          resource.pendingReboot,
          resource.oldKeys,
          resource.error,
          resource.stateVersion,
        ])
        .apply(
          ([node, status, address, addresses, pendingReboot, oldKeys, error, stateVersion]): CloneInfo => ({
            name,
            vmId,
            node: node ?? "",
            status,
            // States of the first version hold no static address.
            ...given({
              address: address ?? (stateVersion === undefined ? configured : undefined),
              addresses,
              pendingReboot,
              oldKeys,
              error,
            }),
          }),
        );
      return settled(info);
    });
    this.wanted = wanted;
    // What a run leaves out and was never made has no status: older engines give nothing, newer ones say that it is unknown.
    this.clones = pulumi.all(clones).apply((all) => all.flatMap((info) => (info?.status === undefined ? [] : [info])));
    this.registerOutputs({ clones: this.clones });
  }
}
