import type { Messages } from "../dynamic/progress.ts";
import type { CloneInputs } from "./inputs.ts";
import type { CloneState, Made } from "./state.ts";
import type { Work } from "./steps/work.ts";

/** Inputs of a clone for unit tests. */
export function fakeClone(change: Partial<CloneInputs> = {}): CloneInputs {
  return {
    stack: "organization/golden/test",
    fleetId: "c1d2be9a",
    set: "web",
    vmId: 9101,
    name: "web-1",
    hostname: "web-1.example.net",
    template: "0123456789ab",
    full: false,
    templateDatastore: "local-lvm",
    places: [{ node: "pve1", sourceVmId: 9000 }],
    ipConfigs: ["ip=10.0.0.21/24,gw=10.0.0.1"],
    nameservers: ["10.0.0.1"],
    searchDomain: "example.net",
    tags: ["web"],
    onBoot: false,
    start: true,
    ...change,
  };
}

export const UUID = "0a0b0c0d-0000-4000-8000-000000000001";

export const fakeMade = (change: Partial<Made> = {}): Made => ({
  template: "0123456789ab",
  full: false,
  datastore: "local-lvm",
  uuid: UUID,
  instanceId: UUID,
  ...change,
});

/** The state of a clone that is what its config says. */
export const fakeState = (change: Partial<CloneState> = {}): CloneState => ({
  spec: fakeClone(),
  made: fakeMade(),
  node: "pve1",
  status: "ready",
  address: "10.0.0.21",
  ...change,
});

/** What a user is told, each with how it is told: `warn: web-1 is not ready: …`. */
export function fakeMessages(): Messages & { said: string[] } {
  const said: string[] = [];
  const to = (how: string) => (text: string) => said.push(`${how}: ${text}`);
  return {
    said,
    report: to("report"),
    info: to("info"),
    warn: to("warn"),
    progress: (doing, percent) => said.push(`progress: ${doing}: ${percent}%`),
  };
}

/** A clone that is being worked on: one that exists, unless the state says otherwise. */
export function fakeWork(
  inputs: Partial<CloneInputs> = {},
  { state = fakeState(), ...change }: Partial<Work> = {},
): Work & { messages: ReturnType<typeof fakeMessages> } {
  return {
    inputs: fakeClone(inputs),
    state: { ...state },
    isNew: false,
    started: false,
    ...change,
    messages: fakeMessages(),
  };
}
