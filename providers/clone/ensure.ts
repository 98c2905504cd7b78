import { ProxmoxError } from "../../proxmox/errors.ts";
import { moveToPool } from "../../proxmox/guests.ts";
import { type Access, access } from "../connect.ts";
import type { ConfigReader } from "../dynamic/handlers.ts";
import { type Says, saysOf } from "../dynamic/progress.ts";
import { stage } from "../failure.ts";
import { primaryAddress } from "./addresses.ts";
import { bring, type Power, type Target } from "./bring.ts";
import { movesAway, waits } from "./diff.ts";
import { type CloneInputs, type CloneState, READY_SECONDS, urnOf } from "./inputs.ts";
import { madeFrom } from "./made.ts";
import { makeClone } from "./makeClone.ts";
import { migrate } from "./migrate.ts";
import { findOurs } from "./owner.ts";
import { choosePlace } from "./place.ts";
import { waitUntilReady } from "./ready.ts";
import { rolloutOf } from "./rollout.ts";
import { withTemplateValues } from "./templateValues.ts";
import { inTurn } from "./turns.ts";

/** First pause before something is tried again, in milliseconds; tests have less time. */
export const pacing = { pauseMs: 1000 };

export interface Run extends Access {
  says: Says;
}

export const runOf = (config: ConfigReader, clone: CloneInputs): Run => ({
  ...access(config),
  says: saysOf(urnOf(clone)),
});

/** What there is of a clone; filled while it is worked on, so that a failure does not lose it. */
type Known = Pick<CloneState, "node" | "template" | "full" | "datastore">;

/** Makes the VM, or takes up the one that an earlier run has made. */
async function make({ client, cluster, says }: Run, inputs: CloneInputs, known: Known): Promise<Target> {
  const { vmId, name, full, datastore, places } = inputs;
  const [first] = places;
  const where = { node: first?.node ?? "", vmId, datastore };
  const place = await stage({ ...where, stage: `find a node for ${name}` }, () => choosePlace(client, inputs));
  const { node, sourceVmId, sourceNode = node } = place;
  const cloning = `make ${name}, a ${full ? "full" : "linked"} clone of template ${sourceVmId}`;
  const found = await inTurn(client, { node: sourceNode, datastore, sourceVmId }, cluster.limits, says.report, () =>
    stage({ ...where, node, stage: cloning }, () => makeClone(client, inputs, place, says.report, pacing.pauseMs)),
  );
  Object.assign(known, {
    node: found?.node ?? node,
    template: inputs.template,
    ...madeFrom(found?.config.description),
  });
  return { node: found?.node ?? node, config: found?.config };
}

/** The clone's VM, where the config wants it to be. */
async function find({ client, says }: Run, olds: CloneState, news: CloneInputs): Promise<Target> {
  const { vmId } = news;
  const [found, whose] = await findOurs(client, olds, olds.node ?? "");
  if (!found) {
    const gone = whose ? `VMID ${vmId} is taken by ${whose}` : `VM ${vmId} is gone`;
    throw new ProxmoxError("missing", `${gone}; \`pulumi refresh\` takes the clone out of the state`);
  }
  if (!movesAway({ ...olds, node: found.node }, news)) return found;
  const place = await choosePlace(client, news);
  await migrate(client, news, found, place, says.report);
  return { ...found, node: place.node };
}

/** Waits until the guest is what `waitFor` asks for, and gives what is known of it then. */
async function ready({ client, says }: Run, inputs: CloneInputs, node: string, power: Power, olds?: CloneState) {
  const { vmId, name, waitFor, readyTimeoutSeconds = READY_SECONDS, ipConfigs } = inputs;
  const pending = power.pendingReboot.length > 0 ? { pendingReboot: power.pendingReboot } : {};
  if (!power.running) return { status: "stopped" as const };
  if (!waits(inputs) || (waitFor !== "agent" && waitFor !== "cloud-init")) {
    return { status: waitFor === "none" ? ("running" as const) : ("ready" as const), ...pending };
  }
  const { status, addresses, address, waitFor: waited } = olds ?? {};
  if (status === "ready" && waited === waitFor && !power.started) {
    return { status, ...(addresses && { addresses }), ...(address && { address }), ...pending };
  }
  const { ip, ip6 } = Object.fromEntries((ipConfigs[0] ?? "").split(",").map((part) => part.split("=")));
  const found = await waitUntilReady(
    client,
    { node, vmId, name },
    { waitFor, timeoutSeconds: readyTimeoutSeconds, static: String(ip).includes("/") },
    says,
    pacing.pauseMs,
  );
  if (!found.ready) says.warn(`${name} is not ready: ${found.reason}`);
  const primary = found.addresses && primaryAddress(found.addresses, { ip, ip6 });
  return {
    status: found.ready ? ("ready" as const) : ("running" as const),
    ...(!found.ready && found.reason && { error: found.reason }),
    ...(found.addresses && { addresses: found.addresses }),
    ...(primary && { address: primary }),
    ...pending,
  };
}

/**
 * Makes the clone, or what is missing of it. A failure is the clone's own: it is told, kept in the state, and tried again by
 * the next run; the engine, which would stop all others, hears nothing of it.
 */
export async function ensure(config: ConfigReader, inputs: CloneInputs, olds?: CloneState): Promise<CloneState> {
  const run = runOf(config, inputs);
  const { vmId, name } = inputs;
  const rollout = rolloutOf(inputs);
  const { template: _, ...wanted } = inputs;
  const exists = olds?.template !== undefined;
  const known: Known = exists
    ? { node: olds.node ?? "", template: olds.template ?? "", full: olds.full, datastore: olds.datastore }
    : { full: inputs.full, datastore: inputs.datastore };
  rollout.begin(vmId);
  try {
    const target = exists
      ? await stage({ stage: `find ${name}`, node: known.node ?? "", vmId }, () => find(run, olds, inputs))
      : await make(run, inputs, known);
    const { node } = target;
    known.node = node;
    const marked = { ...inputs, ...known };
    const outs = await stage(
      { stage: `configure and start ${name}`, node, vmId, datastore: inputs.datastore },
      async () => {
        if (exists && inputs.pool !== undefined && inputs.pool !== olds.pool)
          await moveToPool(run.client, inputs.pool, vmId);
        const values = exists ? await withTemplateValues(run.client, olds, marked) : marked;
        const power = await bring(run.client, values, target, run.says, pacing.pauseMs);
        return { ...wanted, ...known, ...(await ready(run, inputs, node, power, olds)) };
      },
    );
    run.says.report(`${name}: ${outs.status}`);
    if (waits(inputs) && outs.status !== "ready") rollout.unhealthy(vmId, "not ready in time");
    else rollout.healthy(vmId);
    return outs;
  } catch (error) {
    const { message } = error as Error;
    rollout.unhealthy(vmId, message.split("\n", 1)[0] ?? "failed");
    run.says.warn(`${name} failed; the other clones go on, and the next \`pulumi up\` tries it again\n${message}`);
    return { ...wanted, ...known, status: "failed", error: message };
  }
}
