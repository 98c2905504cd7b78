import { describe, expect, it } from "vitest";
import { keysHash } from "../../../fleet/loginKeys.ts";
import { fakeClone, fakeMade, fakeState, fakeWork } from "../fakeClone.ts";
import type { CloneInputs } from "../inputs.ts";
import type { CloneState } from "../state.ts";
import { forgetKeys, setKeys } from "./setKeys.ts";
import type { Work } from "./work.ts";

const rotateKeys = { user: "ops", keys: ["ssh-ed25519 AAAA new"] };
const WANTED = keysHash(rotateKeys);
const OLD = keysHash({ user: "ops", keys: ["ssh-ed25519 AAAA old"] });

async function keysOf(
  inputs: Partial<CloneInputs>,
  state: Partial<CloneState>,
  { reason, ...change }: Partial<Pick<Work, "isNew" | "started">> & { reason?: string } = {},
) {
  const asked: number[] = [];
  const work = fakeWork(inputs, { state: fakeState(state), ...change });
  const giveKeys = async (_guest: object, _login: object, seconds: number) => {
    asked.push(seconds);
    return reason;
  };
  await setKeys({ giveKeys }, work);
  const { givenKeys, oldKeys } = work.state;
  return { asked, givenKeys, oldKeys, said: work.messages.said };
}

describe("the keys of a guest", () => {
  it("are nobody's business without rotateKeys, and what was known of them goes", async () => {
    const known = { givenKeys: OLD, oldKeys: "no agent" };
    expect(await keysOf({}, known)).toEqual({ asked: [], givenKeys: undefined, oldKeys: undefined, said: [] });
  });

  it("come by the first boot of a clone that is made now, unless its template may be older than they are", async () => {
    expect(await keysOf({ rotateKeys }, {}, { isNew: true, started: true })).toMatchObject({
      asked: [],
      givenKeys: WANTED,
    });
    const older = { rotateKeys: { ...rotateKeys, older: true as const } };
    expect(await keysOf(older, {}, { isNew: true, started: true })).toMatchObject({ asked: [300], givenKeys: WANTED });
  });

  it("are set once: with the same ones, in whatever order, nobody is asked", async () => {
    expect(await keysOf({ rotateKeys }, { givenKeys: WANTED })).toMatchObject({ asked: [], givenKeys: WANTED });
    for (const givenKeys of [OLD, undefined])
      expect(await keysOf({ rotateKeys }, givenKeys ? { givenKeys } : {})).toMatchObject({
        asked: [20],
        givenKeys: WANTED,
      });
  });

  it("that did not get there are not known, and that is said", async () => {
    expect(await keysOf({ rotateKeys }, { givenKeys: OLD }, { reason: "it does not run" })).toEqual({
      asked: [20],
      givenKeys: undefined,
      oldKeys: "it does not run",
      said: [
        "warn: web-1: user ops may still have its old SSH keys, and the next `pulumi up` tries again\n  it does not run",
      ],
    });
    expect(await keysOf({ rotateKeys }, { oldKeys: "it does not run" })).toMatchObject({ oldKeys: undefined });
  });

  it("have as much time as a guest that was started, but not if its agent was waited for in vain", async () => {
    const own = { rotateKeys, readyTimeoutSeconds: 60 };
    expect((await keysOf(own, {}, { started: true })).asked).toEqual([60]);
    expect((await keysOf(own, { status: "running" }, { started: true })).asked).toEqual([20]);
  });

  it("are set, but not known to stay, while a start would make it a new instance, which brings the old ones", async () => {
    const { instanceId: _, ...made } = fakeMade();
    const pendingReboot = ["ipconfig0"];
    expect(await keysOf({ rotateKeys }, { made, pendingReboot })).toMatchObject({ asked: [20], givenKeys: undefined });
    expect(await keysOf({ rotateKeys }, { pendingReboot })).toMatchObject({ asked: [20], givenKeys: WANTED });
    expect(await keysOf({ rotateKeys }, { made, pendingReboot: ["memory"] })).toMatchObject({ givenKeys: WANTED });
  });

  it("are forgotten with a change that makes it a new instance", () => {
    const { instanceId: _, ...made } = fakeMade();
    const known = (change: Partial<CloneInputs>, state: Partial<CloneState> = {}) => {
      const before = fakeState({ givenKeys: WANTED, ...state });
      const work = { ...fakeWork({}, { state: before }), inputs: fakeClone(change) };
      forgetKeys(work, before);
      return work.state.givenKeys;
    };
    expect(known({ ipConfigs: ["ip=dhcp"] }, { made })).toBeUndefined();
    expect(known({ ipConfigs: ["ip=dhcp"] })).toBe(WANTED);
    expect(known({ cores: 4 }, { made })).toBe(WANTED);
    expect(known({ hostname: "db-1" }, { made: { ...made, userData: "pve" } })).toBeUndefined();
  });
});
