import { staticAddress } from "./booted.ts";
import type { CloneInputs } from "./inputs.ts";

/** What a clone was made from, which stays. */
export interface Made {
  /** Content hash of the template. */
  template: string;
  full: boolean;
  /** Datastore that its disks are on. */
  datastore: string;
  /** The VM's UUID (PVE: `smbios1`), by which it is known again should its notes get lost. */
  uuid?: string;
  /** The drives that its template's disks had; missing: not known. */
  drives?: string[];
  /** Hash of its first boot, if that was not its template's. */
  firstBoot?: string;
  /** cloud-init's instance-id, which stays whatever changes. Missing: PVE makes it from what is on the cloud-init drive. */
  instanceId?: string;
  /** PVE makes the user-data from the VM's own fields, name included; see `CloneInputs`. */
  userData?: "pve";
}

/** The network settings that a running guest was started with, while its config says something else. */
export type Booted = Pick<CloneInputs, "ipConfigs"> & Partial<Pick<CloneInputs, "nameservers" | "searchDomain">>;

/**
 * What PVE was last seen to have, never what is wished. A failure keeps all that was reached before it.
 *
 * `status`: `ready`: everything that `waitFor` asks for is there; `running`: started, but not (yet) ready; `failed`: see
 * `error`.
 */
export interface CloneState {
  /** The config as far as it has been brought to the VM, or as PVE had it at the last refresh. */
  spec: Pick<CloneInputs, "stack" | "fleetId" | "vmId"> & Partial<CloneInputs>;
  /** Missing until the VM is made. */
  made?: Made;
  /** Where it is; missing until it is made. */
  node?: string;
  status: "ready" | "running" | "stopped" | "failed";
  /** Primary address without prefix, as the agent told it or as the guest was started with it. */
  address?: string;
  /** All addresses that the guest agent told, by interface, without loopback and container bridges. */
  addresses?: Record<string, string[]>;
  /** Options that a running guest gets when PVE starts it next. */
  pendingReboot?: string[];
  booted?: Booted;
  /** Hash of the SSH keys that its login user was last given; missing: it is not known. Only with `rotateKeys`. */
  givenKeys?: string;
  /** Why its login user may still have other SSH keys than those of the config. */
  oldKeys?: string;
  /** Why the clone is not what the config says. */
  error?: string;
}

/** The parts that are not always there, as a state keeps them: absent rather than undefined or empty. */
export function compact(state: { [K in keyof CloneState]: CloneState[K] | undefined }): CloneState {
  const entries = Object.entries(state).filter(
    ([, value]) => value !== undefined && !(Array.isArray(value) && value.length === 0),
  );
  return Object.fromEntries(entries) as unknown as CloneState;
}

/** The state of version 1 had inputs and findings side by side. `template` was missing until the VM was made. */
interface Version1 extends Omit<CloneInputs, "template" | "templateDatastore"> {
  template?: string;
  datastore: string;
  node?: string;
  status: CloneState["status"];
  address?: string;
  addresses?: Record<string, string[]>;
  pendingReboot?: string[];
  error?: string;
}

export function fromVersion1(old: Version1): CloneState {
  const { template, datastore, node, status, address, addresses, pendingReboot, error, ...rest } = old;
  const spec: CloneState["spec"] = { ...rest, templateDatastore: datastore };
  // The provider's own text is not part of what the config says.
  Reflect.deleteProperty(spec, "__provider");
  return compact({
    spec,
    made: template === undefined ? undefined : { template, full: old.full, datastore },
    node,
    status,
    address: address ?? (template === undefined ? undefined : staticAddress(old.ipConfigs)),
    addresses,
    pendingReboot,
    booted: undefined,
    error,
  });
}

/** How states are read; see `Handlers`. */
export const VERSIONS = { stateVersion: 2, migrations: { 1: fromVersion1 as (old: object) => object } };
