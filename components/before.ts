import * as pulumi from "@pulumi/pulumi";
import { parseMark } from "../fleet/ownership.ts";
import { type CloneInfo, storedClone } from "../providers/clone/cloneInfo.ts";
import { type CloneState, VERSIONS } from "../providers/clone/state.ts";
import { migrated } from "../providers/dynamic/states.ts";
import type { PreflightState } from "../providers/preflight/provider.ts";
import type { Past } from "../providers/resolve/past.ts";

type Outputs = Readonly<Record<string, unknown>>;

/** A clone of the state, with the key of its set. */
export interface StoredClone {
  urn: string;
  set: string;
  info: CloneInfo;
}

/** What the engine's state had before the run changed anything. */
export class Before {
  readonly #resources: ReadonlyMap<string, Outputs>;

  /** @param resources outputs by URN */
  constructor(resources: ReadonlyMap<string, Outputs> = new Map()) {
    this.#resources = resources;
  }

  has(urn: string): boolean {
    return this.#resources.has(urn);
  }

  /** A part of a template. In states of earlier versions, keys stand in front of the names. */
  #part(vmId: number, part: string): Outputs | undefined {
    const name = `${vmId}-${part}`;
    const isOld = (urn: string) =>
      urn.endsWith(`-${name}`) || (part === "image" && /::(?!\d+-image$).*-image$/.test(urn));
    return [...this.#resources].find(([urn]) => urn.endsWith(`::${name}`) || isOld(urn))?.[1];
  }

  /** What a template's image was got from. */
  imageOf(vmId: number): { url?: unknown; checksum?: unknown; checksumUrl?: unknown } | undefined {
    return this.#part(vmId, "image");
  }

  hasPart(vmId: number, part: string): boolean {
    return this.#part(vmId, part) !== undefined;
  }

  /** Hash of what a template was made from. */
  contentOf(vmId: number): string | undefined {
    return parseMark(String(this.#part(vmId, "vm")?.description ?? ""), vmId)?.content;
  }

  get clones(): StoredClone[] {
    return [...this.#resources].flatMap(([urn, outputs]) =>
      /:dynamic\/golden-fleet:Clone::/.test(urn) ? [{ urn, ...storedClone(outputs) }] : [],
    );
  }

  /** VMIDs of the templates. */
  get templates(): number[] {
    return [...this.#resources.keys()].flatMap((urn) => {
      const [, vmId] = /:TemplateConversion::(?:.*-)?(\d+)-conversion$/.exec(urn) ?? [];
      return vmId === undefined ? [] : [Number(vmId)];
    });
  }

  /** The states of its clones. */
  get cloneStates(): CloneState[] {
    return this.#ofType(":dynamic/golden-fleet:Clone").map(
      (outputs) => migrated(VERSIONS, outputs) as unknown as CloneState,
    );
  }

  /** The VMs of its templates. */
  get templateVms(): { vmId: number; name: string }[] {
    return this.#ofType("proxmoxve:index/vmLegacy:VmLegacy").map(({ vmId, name }) => ({
      vmId: Number(vmId),
      name: String(name),
    }));
  }

  #ofType(type: string): Outputs[] {
    return [...this.#resources].flatMap(([urn, outputs]) => (urn.split("::")[2]?.endsWith(type) ? [outputs] : []));
  }

  /** What is known of earlier runs where the config leaves something to the cluster. */
  get past(): Past {
    const [preflight = {}] = this.#ofType(":dynamic/golden-fleet:Preflight");
    const { fleetId, chosen = {}, existing = {} } = preflight as Partial<PreflightState>;
    return { fleetId, remembered: chosen, existing, clones: this.cloneStates.map(({ spec }) => spec) };
  }

  /** An output of the stack, as the last run left it. */
  output(name: string): unknown {
    const stack = [...this.#resources].find(([urn]) => urn.includes("::pulumi:pulumi:Stack::"));
    return stack?.[1][name];
  }
}

/** Asks the engine, which answers from the state as it is stored; there is no function for it in the SDK. */
export async function readBefore(): Promise<Before> {
  const stackName = [pulumi.getOrganization(), pulumi.getProject(), pulumi.getStack()].join("/");
  const answer = await pulumi.runtime.invoke("pulumi:pulumi:readStackResourceOutputs", { stackName });
  const resources = answer.outputs as Record<string, { outputs: Outputs }>;
  return new Before(new Map(Object.entries(resources).map(([urn, { outputs }]) => [urn, outputs])));
}
