import { describe, expect, it } from "vitest";
import { keysHash } from "../../fleet/loginKeys.ts";
import { changedOptions, diff, movesAway, movesDisks } from "./diff.ts";
import { fakeClone, fakeMade, fakeState } from "./fakeClone.ts";
import type { CloneInputs } from "./inputs.ts";
import type { CloneState } from "./state.ts";

/** The state of a clone whose config was this when it was last brought to it. */
const brought = (inputs: Partial<CloneInputs>, change: Partial<CloneState> = {}): CloneState =>
  fakeState({ spec: fakeClone(inputs), ...change });
const changes = (state: CloneState, change: Partial<CloneInputs> = {}) => diff(state, fakeClone(change)).changes;
const reasons = (state: CloneState, change: Partial<CloneInputs> = {}) =>
  diff(state, fakeClone(change)).reasons.map(({ effect, detail }) => (detail ? `${effect}: ${detail}` : effect));
const places = (...nodes: string[]) => nodes.map((node) => ({ node, sourceVmId: 9000 }));

describe("what has to be done to a clone", () => {
  it("is nothing when nothing has changed", () => {
    expect(diff(fakeState(), fakeClone())).toEqual({
      changes: false,
      replaces: [],
      deleteBeforeReplace: true,
      reasons: [],
    });
  });

  it("is nothing while it is kept as it is, whatever the config says and however it is", () => {
    const stopped = fakeState({ status: "stopped", error: "no agent" });
    expect(diff(stopped, fakeClone({ keep: true, name: "db-1", vmId: 9999, full: true }))).toMatchObject({
      changes: false,
      replaces: [],
    });
  });

  it.each([
    ["name", { name: "db-1" }],
    ["hostname", { hostname: "web-1.example.org" }],
    ["ipConfigs", { ipConfigs: ["ip=dhcp"] }],
    ["nics", { nics: [{ vlan: 20 }] }],
    ["nameservers", { nameservers: [] }],
    ["searchDomain", { searchDomain: "example.org" }],
    ["description", { description: "the first" }],
    ["tags", { tags: [] }],
    ["pool", { pool: "web" }],
    ["onBoot", { onBoot: true }],
    ["start", { start: false }],
    ["cores", { cores: 4 }],
    ["memoryMiB", { memoryMiB: 1024 }],
    ["diskGiB", { diskGiB: 40 }],
    ["waitFor", { waitFor: "agent" }],
    ["shutdownSeconds", { shutdownSeconds: 5 }],
    ["disks", { disks: [{ drive: "scsi1", datastore: "local-lvm", sizeGiB: 8, options: "" }] }],
    ["keepDisks", { keepDisks: true }],
    ["set", { set: "app" }],
  ] satisfies [string, Partial<CloneInputs>][])("a change of %s is made in place", (_key, change) => {
    expect(diff(fakeState(), fakeClone(change))).toMatchObject({ changes: true, replaces: [] });
  });

  it("a linked clone becomes a full one, and the other way round, by being made anew", () => {
    expect(diff(fakeState(), fakeClone({ full: true })).replaces).toEqual(["full"]);
    expect(diff(fakeState({ made: fakeMade({ full: true }) }), fakeClone()).replaces).toEqual(["full"]);
  });

  it("another template is for new clones alone, unless the set says that they are to be replaced", () => {
    expect(changes(fakeState(), { template: "other" })).toBe(false);
    const news = fakeClone({ template: "other", onTemplateChange: "replace" });
    expect(diff(fakeState(), news)).toMatchObject({ changes: true, replaces: ["template"] });
  });

  it("a clone that was never made is made, not replaced", () => {
    const { made: _, ...never } = fakeState({ status: "failed" });
    expect(diff(never, fakeClone({ full: true }))).toMatchObject({ changes: true, replaces: [] });
  });

  it("one that runs although it need not stays so", () => {
    expect(changes(brought({ start: false }, { status: "stopped" }), { start: false })).toBe(false);
    expect(changes(brought({ start: false }, { status: "running" }), { start: false })).toBe(false);
  });

  it("how a set treats its clones, which no clone needs to know, is no change", () => {
    const treatment = { maxUnavailable: 3, readyTimeoutSeconds: 5, adopt: true, placement: "memory" } as const;
    expect(changes(fakeState(), { ...treatment, rebootOnChange: true })).toBe(false);
  });
});

describe("a clone whose address only its agent knows", () => {
  const byAgent = { addressByAgent: true };

  it("is no other one because it would be waited for today", () => {
    expect(changes(fakeState(), byAgent)).toBe(false);
    expect(changes(brought({ waitFor: "agent" }), byAgent)).toBe(false);
    expect(changes(brought(byAgent), byAgent)).toBe(false);
  });

  it("is one that is treated otherwise, as soon as the config says so", () => {
    expect(changes(brought(byAgent), {})).toBe(true);
    expect(changes(brought(byAgent), { waitFor: "cloud-init" })).toBe(true);
    expect(changes(brought({ waitFor: "none" }), byAgent)).toBe(true);
  });

  it("and that was not ready, is looked at again", () => {
    const unready = brought(byAgent, { status: "running", error: "after 300 s its guest agent did not answer" });
    expect(reasons(unready, byAgent)).toEqual(["awaited: after 300 s its guest agent did not answer"]);
  });
});

describe("a clone's datastore", () => {
  const full = { full: true };
  const made = fakeMade(full);

  it("is its own: another one of the template, where new clones go, is nothing to do", () => {
    expect(changes(fakeState(), { templateDatastore: "ceph" })).toBe(false);
    expect(changes(brought(full, { made }), { ...full, templateDatastore: "ceph" })).toBe(false);
  });

  it("is changed by moving the disks, where the config names another one for a full clone", () => {
    const state = brought(full, { made });
    const news = fakeClone({ ...full, datastore: "ceph" });
    expect(movesDisks(state, news)).toBe(true);
    expect(diff(state, news)).toMatchObject({ changes: true, replaces: [] });
    expect(reasons(state, news)).toEqual(["relocated: from datastore local-lvm to ceph"]);
  });

  it("is nothing to do where the disks are there already, or the config does not care (any more)", () => {
    expect(changes(brought(full, { made }), { ...full, datastore: "local-lvm" })).toBe(false);
    expect(changes(brought({ ...full, datastore: "ceph" }, { made: { ...made, datastore: "ceph" } }), full)).toBe(
      false,
    );
    expect(movesDisks(brought(full, { made }), fakeClone(full))).toBe(false);
  });
});

describe("the reason why a clone is updated", () => {
  it("is that the last run failed, and at what", () => {
    const error = "could not start web-1 (node pve1, VM 9101)\n  PVE task qmstart 9101 failed";
    const failed = fakeState({ status: "failed", error });
    expect(reasons(failed)).toEqual(["finished: the last run failed: PVE task qmstart <VMID> failed"]);
    const { made: _, ...never } = failed;
    expect(reasons(never)).toEqual(["made: the last run failed: PVE task qmstart <VMID> failed"]);
  });

  it("is that it is stopped, unless it need not run", () => {
    expect(reasons(fakeState({ status: "stopped" }))).toEqual(["started"]);
  });

  it("is that it was not ready when it was waited for", () => {
    const waitFor = { waitFor: "agent" as const };
    const unready = brought(waitFor, { status: "running", error: "after 300 s its guest agent did not answer\nmore" });
    expect(reasons(unready, waitFor)).toEqual(["awaited: after 300 s its guest agent did not answer"]);
    expect(reasons(brought({ waitFor: "none" }, { status: "running" }), { waitFor: "none" })).toEqual([]);
    expect(reasons(brought({}, { status: "running" }))).toEqual([]);
  });

  it("is that it waits for a reboot: who knows whether somebody has done that", () => {
    const pending = fakeState({ pendingReboot: ["ipconfig0", "memory"] });
    expect(reasons(pending)).toEqual(["pending: old ipconfig0, memory"]);
    expect(reasons(pending, { rebootOnChange: true })).toEqual(["rebooted: old ipconfig0, memory"]);
  });

  it("is that its guest is not known to have the keys of the config", () => {
    const rotateKeys = { user: "ops", keys: ["ssh-ed25519 AAAA a", "ssh-ed25519 AAAA b"] };
    expect(reasons(fakeState(), { rotateKeys })).toEqual(["rekeyed: user ops"]);
    expect(reasons(fakeState({ givenKeys: "0123456789ab" }), { rotateKeys })).toEqual(["rekeyed: user ops"]);
    expect(changes(fakeState({ givenKeys: keysHash(rotateKeys) }), { rotateKeys })).toBe(false);
    // A clone that is made gets them by its first boot.
    const { made: _, ...never } = fakeState();
    expect(reasons(never, { rotateKeys })).toEqual([]);
  });

  it("is a snapshot before changes that may cost the guest data, where the set asks for one", () => {
    const snapshotDays = 7;
    const hardware = { cores: 8, hostname: "db-1", diskGiB: 40, bootDisk: "scsi0", tags: [] };
    expect(reasons(fakeState(), { ...hardware, snapshotDays })).toContain("snapshotted: host name, cores, diskGiB");
    expect(reasons(fakeState(), hardware).join()).not.toContain("snapshotted");
    const pending = fakeState({ pendingReboot: ["memory"] });
    expect(reasons(pending, { rebootOnChange: true, snapshotDays })).toContain("snapshotted: reboot");
    for (const harmless of [
      { name: "db-1", tags: [], description: "the first", onBoot: true, pool: "web", set: "app" },
      { options: { protection: "1", cpulimit: "2" } },
      { places: places("pve2") },
    ])
      expect(reasons(fakeState(), { ...harmless, snapshotDays }).join()).not.toContain("snapshotted");
    expect(reasons(pending, { snapshotDays })).toEqual(["pending: old memory"]);
    expect(changes(fakeState(), { snapshotDays })).toBe(false);
  });

  it("is that it moves to another set, or its set has another name: its VM stays", () => {
    expect(reasons(fakeState(), { set: "app" })).toEqual(["regrouped: from cloneSets.web to cloneSets.app"]);
  });

  it("is not that of a set that its mark has lost: that is repaired", () => {
    expect(diff(brought({ set: "" }), fakeClone())).toMatchObject({ changes: true, reasons: [] });
  });

  it("says when the guest takes a change over, and what that does to it", () => {
    const { instanceId: _, ...old } = fakeMade();
    const readdressed = { ipConfigs: ["ip=dhcp"] };
    expect(reasons(fakeState(), readdressed)).toEqual([
      "informed: addresses at the next start by Proxmox VE (a reboot from inside the guest is not enough)",
    ]);
    expect(reasons(fakeState({ made: old }), readdressed)).toEqual([
      expect.stringContaining("as a new cloud-init instance: packages and runCommands run again"),
    ]);
    expect(reasons(fakeState({ made: { ...old, userData: "pve" } }), { hostname: "web-9" })).toEqual([
      expect.stringContaining("as a new cloud-init instance: user, password and keys are set again"),
    ]);
    expect(reasons(fakeState(), { tags: [] })).toEqual([]);
    expect(reasons(fakeState(), { ...readdressed, rebootOnChange: true })).toEqual(["rebooted: addresses"]);
    expect(reasons(fakeState({ status: "stopped" }), { cores: 8, start: false, rebootOnChange: true })).toEqual([]);
    // Of a clone that is made now there is no guest yet.
    const { made: _made, ...never } = fakeState();
    expect(reasons(never, readdressed)).toEqual([]);
  });
});

describe("the changed options", () => {
  const options = (state: CloneState, change: Partial<CloneInputs>) => changedOptions(state, fakeClone(change));

  it("are named as in the config, once, and without those that nothing is done for", () => {
    const change = { cores: 8, nameservers: [], searchDomain: "example.org", memoryMiB: 1024, balloonMiB: 512 };
    expect(options(fakeState(), change)).toEqual({ changed: "DNS, cores, memoryMiB", treated: "" });
    expect(options(fakeState(), { waitFor: "agent", shutdownSeconds: 5 })).toEqual({
      changed: "",
      treated: "shutdownSeconds, waitFor",
    });
  });

  it("name rotateKeys when it goes, and nothing is changed for that but the state", () => {
    expect(options(fakeState({ givenKeys: "0123456789ab" }), {}).treated).toBe("rotateKeys");
    expect(options(fakeState({ oldKeys: "it does not run" }), {}).treated).toBe("rotateKeys");
    expect(options(fakeState(), {}).treated).toBe("");
  });

  it("of the VM are named as PVE names them, and those that need a start are a reason for a reboot", () => {
    const before = brought({ options: { protection: "1", numa: "0" } });
    const change = { options: { protection: "0", numa: "0", cpulimit: "2" } };
    expect(options(before, change).changed).toBe("protection, cpulimit");
    expect(reasons(before, { ...change, rebootOnChange: true })).toEqual([]);
    expect(reasons(before, { options: { numa: "1", protection: "1" }, rebootOnChange: true })).toEqual([
      "rebooted: numa",
    ]);
  });

  it("do not name the set of a clone that moves, but the mark that it has lost", () => {
    expect(options(fakeState(), { set: "app" }).changed).toBe("");
    expect(options(brought({ set: "" }), {}).changed).toBe("ownership mark");
  });
});

describe("a clone's node", () => {
  it("is left when the config takes it away, and the reason says so", () => {
    expect(movesAway(fakeState(), fakeClone({ places: places("pve2", "pve3") }))).toBe(true);
    expect(reasons(fakeState(), { places: places("pve3", "pve2") })).toEqual([
      "migrated: from node pve1 to pve2 or pve3",
    ]);
  });

  it("stays when it is still one of several, in whatever order", () => {
    const olds = brought({ places: places("pve1", "pve2") });
    expect(changes(olds, { places: places("pve2", "pve1") })).toBe(false);
    expect(changes(olds, { places: places("pve3", "pve1") })).toBe(false);
  });

  it("is left alone when somebody else has moved the clone there", () => {
    expect(changes(fakeState({ node: "pve2" }))).toBe(false);
    expect(changes(fakeState({ node: "pve3" }), { places: places("pve2") })).toBe(true);
  });

  it("is still to be left when the migration failed in the last run", () => {
    const failed = fakeState({ status: "failed", error: "could not migrate" });
    expect(movesAway(failed, fakeClone({ places: places("pve2") }))).toBe(true);
  });

  it("is no question at preview, while the template is not known", () => {
    expect(changes(fakeState(), { places: "unknown" as never })).toBe(false);
  });
});
