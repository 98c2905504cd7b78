import type { GuestConfig } from "../../../proxmox/guests.ts";
import type { CloneInputs, NicChange } from "../inputs.ts";
import { observedNic } from "../observed.ts";
import type { CloneState } from "../state.ts";

type Spec = Partial<CloneInputs>;

/** Interfaces of which the config said more before than it does now. */
function lostNics({ nics: olds = [] }: Spec, { nics: news = [] }: Spec): boolean {
  return olds.some(({ bridge, vlan }, index) => {
    const { bridge: newBridge, vlan: newVlan } = news[index] ?? {};
    return (bridge !== undefined && newBridge === undefined) || (vlan !== undefined && newVlan === undefined);
  });
}

/**
 * The inputs of a clone that exists, with the template's values for what the config has taken back: it would keep its own
 * otherwise. What the config never spoke of stays as it is on the VM.
 */
export async function withTemplateValues(
  api: { readConfig(node: string, vmId: number): Promise<GuestConfig | undefined> },
  { spec: olds, node }: Pick<CloneState, "spec" | "node">,
  news: CloneInputs,
): Promise<CloneInputs> {
  const lost = (key: "cores" | "memoryMiB") => olds[key] !== undefined && news[key] === undefined;
  const withNics = lostNics(olds, news);
  const lostOptions = Object.keys(olds.options ?? {}).filter((key) => news.options?.[key] === undefined);
  const inputs = olds.description !== undefined && news.description === undefined ? { ...news, description: "" } : news;
  // The template on the clone's own node, where there is one: another node may be off.
  const place = news.places.find((one) => one.node === node) ?? news.places[0];
  if (!place || !(lost("cores") || lost("memoryMiB") || withNics || lostOptions.length > 0)) return inputs;
  const template = await api.readConfig(place.sourceNode ?? place.node, place.sourceVmId);
  if (!template) return inputs;
  const { uninherited = [] } = news;
  const inTemplate = (key: string) => (uninherited.includes(key) ? "" : String(template[key] ?? ""));
  const { cores = 1, memory = 512, balloon = memory } = template;
  const count = Math.max(olds.nics?.length ?? 0, news.nics?.length ?? 0);
  const nics = Array.from({ length: count }, (_none, index): NicChange => {
    const had = observedNic(template[`net${index}`], olds.nics?.[index] ?? {});
    return { ...(template[`net${index}`] !== undefined && had), ...news.nics?.[index] };
  });
  return {
    ...inputs,
    ...(lost("cores") && { cores: Number(cores) }),
    ...(lost("memoryMiB") && { memoryMiB: Number(memory), balloonMiB: Number(balloon) }),
    ...(withNics && { nics }),
    ...(lostOptions.length > 0 && {
      options: { ...Object.fromEntries(lostOptions.map((key) => [key, inTemplate(key)])), ...news.options },
    }),
  };
}
