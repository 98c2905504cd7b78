import { READY_SECONDS, waitForOf, waitsOtherwise } from "../inputs.ts";
import { primaryAddress } from "../readiness/addresses.ts";
import type { Readiness } from "../readiness/ready.ts";
import type { CloneState } from "../state.ts";
import { vmOf, type Work } from "./work.ts";

export interface ReadyApi {
  waitUntilReady(
    guest: { node: string; vmId: number; name: string },
    options: { waitFor: "agent" | "cloud-init"; timeoutSeconds: number; static: boolean },
    messages: Work["messages"],
  ): Promise<Readiness>;
}

/** Notes what was found of a guest. */
export function noteReadiness(state: CloneState, found: Readiness, ipConfigs: readonly string[]): void {
  const { ip, ip6 } = Object.fromEntries((ipConfigs[0] ?? "").split(",").map((part) => part.split("=")));
  const address = found.addresses && primaryAddress(found.addresses, { ip, ip6 });
  state.status = found.ready ? "ready" : "running";
  delete state.error;
  if (!found.ready && found.reason) state.error = found.reason;
  if (found.addresses) state.addresses = found.addresses;
  if (address !== undefined) state.address = address;
}

/** Waits until the guest is what `waitFor` asks for. One that was ready before is not asked again until it is started. */
export async function waitUntilReady(api: ReadyApi, work: Work, before: CloneState): Promise<void> {
  const { inputs, state, messages } = work;
  const { name, readyTimeoutSeconds = READY_SECONDS } = inputs;
  const waitFor = waitForOf(inputs, state.made);
  if (state.status === "stopped") return;
  if (waitFor === "none" || waitFor === "started") {
    state.status = waitFor === "none" ? "running" : "ready";
  } else if (work.started || before.status !== "ready" || waitsOtherwise(before.spec, inputs, state.made)) {
    const ipConfigs = state.booted?.ipConfigs ?? inputs.ipConfigs;
    const isStatic = /(?:^|,)ip=[^,]*\//.test(ipConfigs[0] ?? "");
    const options = { waitFor, timeoutSeconds: readyTimeoutSeconds, static: isStatic };
    const found = await api.waitUntilReady({ ...vmOf(work), name }, options, messages);
    // Nobody has asked for an agent: without one, a clone is ready when it runs, and its address stays unknown.
    if (found.cannotTell && inputs.waitFor === undefined) {
      state.status = "ready";
      return;
    }
    if (!found.ready) messages.warn(`${name} is not ready: ${found.reason}`);
    noteReadiness(state, found, ipConfigs);
  } else {
    state.status = "ready";
  }
}
