import { pendingOptions } from "../../proxmox/pendingOptions.ts";
import type { Messages } from "../dynamic/progress.ts";
import { lookUp } from "../guest/lookUp.ts";
import type { Run } from "../run/run.ts";
import { staticAddress, waiting } from "./booted.ts";
import { waitForOf } from "./inputs.ts";
import { notThisClone } from "./mark.ts";
import { observed, observedMade } from "./observed.ts";
import { waitUntilReady } from "./readiness/ready.ts";
import { type CloneState, compact } from "./state.ts";
import { noteReadiness } from "./steps/waitUntilReady.ts";

/** How long a refresh asks a guest that was not ready whether it is by now, in seconds. */
const LOOK_SECONDS = 5;

/** A guest that does not run has nothing but its config. */
function stopped(state: CloneState): CloneState {
  const { booted: _b, pendingReboot: _p, addresses: _a, address: _o, error, ...rest } = state;
  return {
    ...rest,
    ...withAddress(state.spec.ipConfigs),
    ...(state.status === "failed" ? { ...(error !== undefined && { error }) } : { status: "stopped" as const }),
  };
}

function withAddress(ipConfigs: readonly string[] = []): Pick<CloneState, "address"> {
  const address = staticAddress(ipConfigs);
  return address === undefined ? {} : { address };
}

/** What a running guest gets at its next start, where that is not known to be nothing. */
async function pending({ client }: Run, state: CloneState, before: CloneState): Promise<CloneState> {
  const { node = "", spec } = state;
  const ipConfigs = spec.ipConfigs ?? [];
  if (!before.booted && !before.pendingReboot) return state;
  const { options, booted } = waiting(before, spec, await pendingOptions(client, node, spec.vmId));
  const { booted: _b, pendingReboot: _p, ...rest } = state;
  return {
    ...rest,
    ...(state.addresses === undefined && withAddress(booted?.ipConfigs ?? ipConfigs)),
    ...(booted && { booted }),
    ...(options.length > 0 && { pendingReboot: options }),
  };
}

/** Whether a guest that was not ready is by now. */
async function readiness({ client }: Run, state: CloneState): Promise<CloneState> {
  const { spec, made, node = "", status } = state;
  const { vmId, name = `VM ${vmId}` } = spec;
  const waitFor = waitForOf(spec, made);
  if (status !== "running" || (waitFor !== "agent" && waitFor !== "cloud-init")) return state;
  const ipConfigs = state.booted?.ipConfigs ?? spec.ipConfigs ?? [];
  const options = { waitFor, timeoutSeconds: LOOK_SECONDS, static: staticAddress(ipConfigs) !== undefined };
  const found = await waitUntilReady(client, { node, vmId, name }, options, { report: () => undefined });
  if (!found.ready) return state;
  const next = { ...state };
  noteReadiness(next, found, ipConfigs);
  return next;
}

/**
 * What PVE has of a clone now; undefined: it has no such VM any more. A VM that cannot be looked at is left in the state as it
 * was last seen.
 */
export async function look(run: Run, before: CloneState, messages: Messages): Promise<CloneState | undefined> {
  const { spec, made } = before;
  const { vmId, fleetId } = spec;
  const found = await lookUp(run.client, { vmId, fleetId, node: before.node ?? spec.places?.[0]?.node });
  if (found.kind === "unreachable") {
    messages.warn(
      `node ${found.node} does not answer, so VM ${vmId} could not be looked at: the state keeps what was last seen`,
    );
    return before;
  }
  // What a clone task that was killed has left is in the way of the next run, which knows what to do about it.
  if (found.kind === "vm" && found.busy === "clone" && !made) return before;
  if (found.kind !== "vm" || notThisClone(found, made?.uuid) !== undefined) return undefined;

  const { node, config } = found;
  const pool = spec.pool === undefined ? undefined : await run.vmLists.poolOf(vmId);
  const state: CloneState = {
    ...before,
    node,
    spec: observed(spec, config, pool),
    ...(made && { made: observedMade(made, config, spec.disks) }),
  };
  if ((await run.vmLists.statusOf(node, vmId)) !== "running") return compact(stopped(state));
  const running: CloneState = before.status === "stopped" ? { ...state, status: "running" } : state;
  return compact(await readiness(run, await pending(run, running, before)));
}
