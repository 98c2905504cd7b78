import { readFile } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import { Agent, fetch } from "undici";
import type { Lab } from "../lab/lab.ts";

/**
 * Waits until the cluster's list shows all VMs as they are. Where time passes, it has neither name nor status of a VM for
 * the first ten seconds: of a fleet that was made at once it would know nothing, which no fleet made at a node's pace
 * shows, and Ansible's modules find VMs by name there.
 */
export async function settled(lab: Lab, signal?: AbortSignal): Promise<void> {
  const dispatcher = new Agent({ connect: { ca: await readFile(lab.caFile, "utf8") } });
  const headers = { authorization: `PVEAPIToken=${lab.rootToken}` };
  try {
    for (;;) {
      signal?.throwIfAborted();
      const answer = await fetch(`${lab.endpoint}/api2/json/cluster/resources?type=vm`, { dispatcher, headers });
      if (!answer.ok) throw new Error(`the lab does not list its VMs: ${answer.status} ${answer.statusText}`);
      const { data } = (await answer.json()) as { data: { status?: string }[] };
      if (data.every(({ status }) => status !== "unknown")) return;
      await delay(200);
    }
  } finally {
    await dispatcher.close();
  }
}
