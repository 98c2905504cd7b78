import { guestChanges, isNewInstance } from "../../../fleet/cloudInit/guestChanges.ts";
import { keysHash, type LoginKeys } from "../../../fleet/loginKeys.ts";
import { changedKeys } from "../../dynamic/diff.ts";
import { type CloneInputs, CONFIGURED, READY_SECONDS } from "../inputs.ts";
import type { CloneState } from "../state.ts";
import { vmOf, type Work } from "./work.ts";

export interface KeysApi {
  /** Gives why the guest is not known to have the keys; undefined: it has them. */
  giveKeys(
    guest: { node: string; vmId: number; name: string },
    login: LoginKeys,
    seconds: number,
    messages: Work["messages"],
  ): Promise<string | undefined>;
}

/** How long a guest may take that PVE has not started just now, in seconds. */
const RUNNING_SECONDS = 20;

/**
 * Forgets what keys the guest has, if a change that is brought to its VM makes it a new instance of cloud-init: that adds the
 * keys that the VM was made with, whenever it comes.
 */
export function forgetKeys({ inputs, state }: Work, { spec, made }: CloneState): void {
  if (made && guestChanges(changedKeys<CloneInputs>(spec, inputs, CONFIGURED), made)?.newInstance)
    delete state.givenKeys;
}

/** Gives the guest the keys of the config, unless it has them. What is not known to be done is left to the next run. */
export async function setKeys(api: KeysApi, work: Work): Promise<void> {
  const { inputs, state, messages, isNew, started } = work;
  const { rotateKeys, name, readyTimeoutSeconds = READY_SECONDS } = inputs;
  if (!rotateKeys) {
    delete state.givenKeys;
    delete state.oldKeys;
    return;
  }
  const wanted = keysHash(rotateKeys);
  // It gets them by its first boot.
  if (isNew && !rotateKeys.older) state.givenKeys = wanted;
  if (state.givenKeys === wanted) return;
  delete state.givenKeys;
  // One whose agent was waited for in vain is not waited for again.
  const seconds = started && state.status === "ready" ? readyTimeoutSeconds : RUNNING_SECONDS;
  const reason = await api.giveKeys({ ...vmOf(work), name }, rotateKeys, seconds, messages);
  if (reason !== undefined) {
    state.oldKeys = reason;
    messages.warn(
      `${name}: user ${rotateKeys.user} may still have its old SSH keys, and the next \`pulumi up\` tries again\n  ${reason}`,
    );
    return;
  }
  delete state.oldKeys;
  // A start that makes it a new instance of cloud-init would bring the old ones back.
  if (!isNewInstance(state.pendingReboot ?? [], state.made ?? {})) state.givenKeys = wanted;
}
