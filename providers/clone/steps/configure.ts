import type { Params } from "../../../proxmox/client.ts";
import type { GuestConfig } from "../../../proxmox/guests.ts";
import { type CloneInputs, CONFIGURED } from "../inputs.ts";
import { needsConfig, options } from "../options.ts";
import type { Made } from "../state.ts";
import { withTemplateValues } from "./templateValues.ts";
import { madeOf, vmOf, type Work } from "./work.ts";

export interface ConfigureApi {
  readConfig(node: string, vmId: number): Promise<GuestConfig | undefined>;
  setOptions(vm: { node: string; vmId: number }, options: Params): Promise<unknown>;
}

/** What this step brings to the VM. */
const OPTIONS = ["stack", ...CONFIGURED] as const satisfies (keyof CloneInputs)[];

/** The spec with the options of the config, and without those that it does not have any more. */
function withOptions(spec: Work["state"]["spec"], inputs: CloneInputs): Work["state"]["spec"] {
  const others = Object.entries(spec).filter(([key]) => !(OPTIONS as readonly string[]).includes(key));
  const brought = OPTIONS.flatMap((key) => (inputs[key] === undefined ? [] : [[key, inputs[key]]]));
  return Object.fromEntries([...others, ...brought]) as Work["state"]["spec"];
}

/** Sets the VM's options by one request. */
export async function configure(api: ConfigureApi, work: Work): Promise<void> {
  const { inputs, state, messages, isNew, freshUuid } = work;
  const vm = vmOf(work);
  const place = inputs.places.find(({ node }) => node === vm.node);
  const cicustom = freshUuid === undefined ? undefined : place?.cicustom;
  const account = freshUuid === undefined ? undefined : inputs.account;
  const uninherited = freshUuid === undefined ? undefined : inputs.uninherited;
  const { templateDrives } = inputs;
  const made: Made = {
    ...madeOf(work),
    // Of a clone of another template, be it the one that a killed run has made, nobody knows them.
    ...(templateDrives && madeOf(work).template === inputs.template && { drives: templateDrives }),
    ...(freshUuid !== undefined && { uuid: freshUuid }),
    // Only with the clones' own vendor-data does a guest take another address as the instance that it is.
    ...(freshUuid !== undefined && cicustom !== undefined && !inputs.pveInstanceId && { instanceId: freshUuid }),
    ...(freshUuid !== undefined && inputs.userData !== undefined && { userData: inputs.userData }),
  };
  messages.report(`configuring ${inputs.name}`);
  if (!isNew || needsConfig(inputs)) work.config ??= await api.readConfig(vm.node, vm.vmId);
  // PVE has given a new clone a UUID; one of ours saves asking for it.
  const smbios1 = isNew && { smbios1: `uuid=${freshUuid}` };
  const config = { ...work.config, ...smbios1 };
  const wanted = isNew ? inputs : await withTemplateValues(api, state, inputs);
  await api.setOptions(vm, options(wanted, { config, made, spec: state.spec, cicustom, account, uninherited }));
  state.made = made;
  state.spec = withOptions(state.spec, inputs);
}
