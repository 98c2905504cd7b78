import { readFileSync } from "node:fs";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import type { Params } from "./conformance/replay.ts";
import { openProbe, type Probe } from "./probe.ts";

const setupMs = 240_000;
const testMs = 60_000;
const soon = { timeout: 10_000 };
const one = "/nodes/pve1/qemu/700";
const role = ["VM.Audit", "VM.Config.Cloudinit", "VM.Config.Network", "VM.GuestAgent.Audit", "VM.PowerMgmt"];
let probe: Probe;

beforeAll(async () => {
  probe = await openProbe();
}, setupMs);

afterAll(() => probe?.close());

afterEach(async () => {
  await probe.lab.control.clearFaults();
  await probe.lab.control.version("9.2.11");
  await probe.lab.control.privileges();
  await probe.lab.control.timeScale(0.02);
  if ((await probe.lab.control.vms())["700"]) await probe.lab.control.deleteVm(700);
});

/** A VM with a disk, a NIC, a cloud-init drive and a guest agent, started by PVE. */
async function running(config: Record<string, string | number> = {}): Promise<void> {
  await probe.lab.control.addVm({
    vmid: 700,
    config: {
      ...{ name: "web-1", agent: "enabled=1", cores: 1, memory: "512", scsi0: "local-lvm:vm-700-disk-0,size=1G" },
      ...{ ide2: "local-lvm:vm-700-cloudinit,media=cdrom", net0: "virtio=BC:24:11:00:07:00,bridge=vmbr0" },
      ...{ ipconfig0: "ip=10.0.0.70/24,gw=10.0.0.1" },
      ...config,
    },
  });
  expect((await probe.run("POST", `${one}/status/start`)).exitstatus).toBe("OK");
}

const agent = (command: string, as = "fleet-token"): Promise<string> =>
  probe.refusal(command === "ping" ? "POST" : "GET", `${one}/agent/${command}`, {}, as);

async function addresses(): Promise<string[]> {
  const { result } = await probe.get<{ result: { name: string; "ip-addresses": { "ip-address": string }[] }[] }>(
    `${one}/agent/network-get-interfaces`,
  );
  return result.find(({ name }) => name === "eth0")?.["ip-addresses"].map((held) => held["ip-address"]) ?? [];
}

async function exec(command: string[]): Promise<Record<string, unknown>> {
  const { data } = await probe.session.send("root-token", "POST", `${one}/agent/exec`, { command });
  const { pid } = data as { pid: number };
  return (await probe.session.send("root-token", "GET", `${one}/agent/exec-status`, { pid })).data as Record<
    string,
    unknown
  >;
}

describe("the guest agent", () => {
  test("answers so many seconds after start as the test says", { timeout: testMs }, async () => {
    await running();
    await probe.lab.control.guest(700, { agentAfter: 30 });
    expect(await agent("ping")).toBe("500 QEMU guest agent is not running");
    await expect.poll(() => agent("ping"), soon).toBe("");
    expect(await addresses()).toEqual(["10.0.0.70", "fe80::be24:11ff:fe00:700"]);
  });

  test("never answers, hangs, or is not there: in PVE's words", { timeout: testMs }, async () => {
    await running();
    await probe.lab.control.guest(700, { agentAfter: "never" });
    expect(await agent("ping")).toBe("500 QEMU guest agent is not running");
    await probe.lab.control.guest(700, { agentAfter: 0, agentHangs: "commands" });
    expect(await agent("ping")).toBe("");
    expect(await agent("network-get-interfaces")).toBe(
      "500 VM 700 qmp command 'guest-network-get-interfaces' failed - got timeout",
    );
    await probe.lab.control.patchConfig(700, { delete: ["agent"] });
    expect(await agent("ping")).toBe("500 No QEMU guest agent configured");
    await probe.lab.control.patchConfig(700, { set: { agent: "enabled=1" } });
    await probe.lab.control.power(700, "stopped");
    expect(await agent("ping")).toBe("500 VM 700 is not running");
  });

  test("tells an address by DHCP, IPv6 ones, or what a test wants", { timeout: testMs }, async () => {
    await running({ ipconfig0: "ip=dhcp,ip6=2001:db8::70/64" });
    await probe.lab.control.guest(700, { agentAfter: 0 });
    expect(await addresses()).toEqual(["10.0.2.201", "2001:db8::70", "fe80::be24:11ff:fe00:700"]);
    const docker = [{ name: "docker0", "hardware-address": "02:42:00:00:00:01", "ip-addresses": [] }];
    await probe.lab.control.guest(700, { agent: { "network-get-interfaces": docker } });
    expect(await probe.get(`${one}/agent/network-get-interfaces`)).toEqual({ result: docker });
  });

  test("runs cloud-init status, which goes from running to its end", { timeout: testMs }, async () => {
    await running();
    await probe.lab.control.guest(700, {
      agentAfter: 0,
      cloudInit: { seconds: 50, result: "error", errors: ["boom"] },
    });
    const status = () => exec(["cloud-init", "status", "--format=json"]);
    expect(JSON.parse(String((await status())["out-data"]))).toMatchObject({ status: "running" });
    await expect
      .poll(async () => JSON.parse(String((await status())["out-data"])), soon)
      .toMatchObject({ status: "error", errors: ["boom"] });
    expect(await status()).toMatchObject({ exited: 1, exitcode: 1 });
    await probe.lab.control.guest(700, { cloudInit: { missing: true } });
    const params: Params = { command: "cloud-init" };
    expect(await probe.refusal("POST", `${one}/agent/exec`, params, "root-token")).toMatch(
      /^500 Agent error: .*failed to execute child process/i,
    );
  });

  test("runs the program's own script, and no other: what it gets is bytes, and its end is told once", {
    timeout: testMs,
  }, async () => {
    await running({ ciuser: "ops", sshkeys: encodeURIComponent("ssh-rsa AAAA old\n") });
    await probe.lab.control.guest(700, { agentAfter: 0, cloudInit: { seconds: 0 } });
    const keys = async () => (await probe.lab.control.vms())["700"]?.guest?.keys;
    expect(await keys()).toEqual({ ops: ["ssh-rsa AAAA old"] });
    const script = readFileSync(`${import.meta.dirname}/../providers/clone/keys/setKeys.sh`, "utf8");
    const sh = (text: string, input: string, user = "ops") => ({
      command: ["/bin/sh", "-c", text, "sh", user],
      "input-data": input,
    });
    const send = (params: Params) => probe.session.send("root-token", "POST", `${one}/agent/exec`, params);
    const end = (pid: unknown) =>
      probe.session.send("root-token", "GET", `${one}/agent/exec-status`, { pid: Number(pid) });
    const ends = async (params: Params) => {
      const { pid } = (await send(params)).data as { pid: number };
      return { pid, ...((await end(pid)).data as Record<string, unknown>) };
    };
    expect(await ends(sh("touch /tmp/pwned", ""))).toMatchObject({ exitcode: 127 });
    expect(await ends(sh(script, "ssh-rsa AAAA new\nend\n", "nobody"))).toMatchObject({
      exitcode: 1,
      "err-data": "there is no user nobody\n",
    });
    expect(await keys()).toEqual({ ops: ["ssh-rsa AAAA old"] });
    const { pid, ...status } = await ends(sh(script, "ssh-rsa AAAA J\\0303\\0274rgen\nend\n"));
    expect(status).toEqual({ exited: 1, exitcode: 0, "out-data": "given 1\n" });
    expect(await keys()).toEqual({ ops: ["ssh-rsa AAAA Jürgen"] });
    expect((await end(pid)).reason).toContain("Invalid parameter 'pid'");
    expect((await send(sh(script, "ssh-rsa AAAA ключ\nend\n"))).reason).toContain("Wide character");
    expect((await send(sh(script, "x".repeat(64 * 1024 + 1)))).status).toBe(400);
    expect(await send({ command: "no-such-program" })).toMatchObject({ status: 596, reason: "Broken pipe" });
    await probe.lab.control.guest(700, { cloudInit: { seconds: 1e9 } });
    expect(await ends(sh(script, "ssh-rsa AAAA new\nend\n"))).toMatchObject({ exitcode: 75 });
  });

  test("takes VM.GuestAgent.Audit, for exec VM.GuestAgent.Unrestricted, on PVE 8 VM.Monitor", {
    timeout: testMs,
  }, async () => {
    await running();
    await probe.lab.control.guest(700, { agentAfter: 0 });
    await probe.lab.control.privileges("/vms", role);
    expect(await agent("ping")).toBe("");
    expect(await probe.refusal("POST", `${one}/agent/exec`, { command: "id" })).toBe(
      "403 Permission check failed (/vms/700, VM.GuestAgent.Unrestricted)",
    );
    await probe.lab.control.version("8.4.1");
    expect(await agent("ping")).toBe("403 Permission check failed (/vms/700, VM.Monitor)");
    await probe.lab.control.privileges("/vms", [...role, "VM.Monitor"]);
    expect(await agent("ping")).toBe("");
    expect(await probe.refusal("POST", `${one}/agent/exec`, { command: "id" })).toBe("");
    await probe.lab.control.version("9.2.11");
    expect(await agent("ping")).toBe("");
  });
});

test("how a guest behaves can be said before it is made", { timeout: testMs }, async () => {
  await probe.template(600);
  await probe.lab.control.guest("new", { startError: "start failed: QEMU exited with code 1" });
  await probe.lab.control.guest(700, { startError: null });
  for (const newid of [700, 701]) await probe.run("POST", "/nodes/pve1/qemu/600/clone", { newid });
  expect((await probe.run("POST", "/nodes/pve1/qemu/701/status/start")).exitstatus).toMatch(/QEMU exited with code 1/);
  expect((await probe.run("POST", `${one}/status/start`)).exitstatus).toBe("OK");
  await probe.lab.control.deleteVm(701);
});

describe("a running VM", () => {
  const put = (params: Params): Promise<string> => probe.refusal("PUT", `${one}/config`, params, "root-token");
  const pending = async (): Promise<string[]> =>
    (await probe.get<{ key: string; pending?: string; delete?: number }[]>(`${one}/pending`)).flatMap((item) =>
      "pending" in item || "delete" in item ? [item.key] : [],
    );

  test("takes its name, tags, NIC and cloud-init values at once; cores and memory at the next start", {
    timeout: testMs,
  }, async () => {
    await running();
    await put({
      cores: 2,
      memory: 1024,
      net0: "virtio=BC:24:11:00:07:00,bridge=vmbr0,tag=7",
      tags: "a",
      name: "web-9",
    });
    await put({ ipconfig0: "ip=10.0.0.99/24", ciuser: "ops" });
    expect(await pending()).toEqual(["cores", "memory"]);
    const vm = (await probe.lab.control.vms())["700"];
    expect(vm?.config).toMatchObject({ name: "web-9", tags: "a", ipconfig0: "ip=10.0.0.99/24", cores: 1 });
    expect(vm?.config.net0).toContain("tag=7");
  });

  test("with hotplug switched off takes another NIC at the next start, another bridge at once", {
    timeout: testMs,
  }, async () => {
    await running({ hotplug: "0" });
    await put({ net0: "virtio=BC:24:11:00:07:00,bridge=vmbr0,tag=7" });
    expect(await pending()).toEqual([]);
    await put({ net0: "e1000=BC:24:11:00:07:00,bridge=vmbr0,tag=7", scsi1: "local-lvm:1" });
    expect(await pending()).toEqual(["net0", "scsi1"]);
  });

  test("is cloned as it runs: what is pending stays behind", { timeout: testMs }, async () => {
    await running();
    await put({ cores: 4 });
    const task = await probe.run("POST", `${one}/clone`, { newid: 702, full: 1 });
    expect(task).toMatchObject({ exitstatus: "OK" });
    expect(task.log).toContain("found pending changes for 'cores', discarding for clone");
    expect((await probe.lab.control.vms())["702"]).toMatchObject({ status: "stopped", config: { cores: 1 } });
    await probe.lab.control.deleteVm(702);
  });

  test("reboots into its pending values, once it has powered off", { timeout: testMs }, async () => {
    await running();
    await put({ cores: 4 });
    await probe.lab.control.timeScale(0.2);
    expect((await probe.run("POST", `${one}/status/reboot`)).exitstatus).toBe("OK");
    expect(await probe.get(`${one}/status/current`)).toMatchObject({ status: "stopped" });
    await expect.poll(() => probe.get(`${one}/status/current`), soon).toMatchObject({ status: "running", cpus: 4 });
    expect(await pending()).toEqual([]);
  });

  test("that ignores reboot and shutdown runs on after the timeout; forceStop ends it", {
    timeout: testMs,
  }, async () => {
    await running();
    await probe.lab.control.guest(700, { acpi: false });
    for (const action of ["reboot", "shutdown"]) {
      expect((await probe.run("POST", `${one}/status/${action}`, { timeout: 3 })).exitstatus).toBe(
        "VM quit/powerdown failed - got timeout",
      );
      expect((await probe.lab.control.vms())["700"]?.status).toBe("running");
    }
    expect((await probe.run("POST", `${one}/status/shutdown`, { timeout: 3, forceStop: 1 })).exitstatus).toBe("OK");
    expect((await probe.lab.control.vms())["700"]?.status).toBe("stopped");
    expect(await probe.refusal("POST", `${one}/status/reboot`)).toBe("500 VM 700 not running");
  });

  test("grows its disk while it runs", { timeout: testMs }, async () => {
    await running();
    const grown = await probe.run("PUT", `${one}/resize`, { disk: "scsi0", size: "3G" });
    expect(grown.exitstatus).toBe("OK");
    const { vms, volumes } = await probe.lab.control.state();
    expect(vms["700"]).toMatchObject({ status: "running", pending: {} });
    expect(vms["700"]?.config.scsi0).toContain("size=3G");
    expect(volumes["pve1/local-lvm"]?.["vm-700-disk-0"]?.size).toBe(3 * 1024 ** 3);
  });
});
