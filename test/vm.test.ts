import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { TemplateInput } from "../config/template.ts";
import { ensureToolchain } from "../toolchain/install.ts";
import { runPulumi } from "../toolchain/pulumi.ts";
import { openProject, type Project } from "./project.ts";
import { clientOf } from "./provider.ts";

const PASSWORD = "correct horse";

/** Two templates with seven resources and their component each; `plain` has a third snippet. Stack, preflight, plugin's provider. */
const RESOURCES = 3 + 8 + 9;

/** Everything that can be said of a template, and none of it the default. */
const full = (project: Project): TemplateInput => ({
  vmId: 9000,
  name: "golden.example.net",
  description: "# Golden\n\nAsk *ops* before you touch it.",
  tags: ["zebra", "base"],
  pool: "golden",
  protection: true,
  image: {
    url: project.lab.image.url,
    checksumUrl: project.lab.image.checksumUrl,
    fileName: "golden.img",
    keepImage: false,
  },
  cpu: { cores: 4, sockets: 2, type: "host", numa: true },
  memoryMiB: 8192,
  balloonMiB: 4096,
  disk: { sizeGiB: 32, cache: "writeback", aio: "threads", backup: false },
  extraDisks: [
    { sizeGiB: 8, discard: false, ssd: false, iothread: false },
    { bus: "virtio", sizeGiB: 4, aio: "native", cache: "directsync" },
    { bus: "sata", sizeGiB: 2, cache: "writethrough" },
  ],
  nics: [
    { vlan: 42, mtu: 1400, firewall: true, mac: "BC:24:11:00:00:01" },
    { model: "e1000", bridge: "vmbr0" },
  ],
  vga: { type: "virtio", memoryMiB: 64 },
  osType: "win11",
  bootOrder: ["scsi0", "net0"],
  uefi: { enabled: true, secureBoot: false },
  tpm: { enabled: true, version: "v2.0" },
  gpus: [{ mapping: "rtx4090", primary: true, romBar: false }],
  cloudInit: {
    user: "admin",
    sshPublicKeyFile: project.lab.ssh.publicKeyFile,
    packages: ["qemu-guest-agent"],
    timezone: "Europe/Vienna",
    runCommands: ["echo hello"],
    writeFiles: [{ path: "/etc/motd", content: "golden\n" }],
    ip: "10.0.0.9/24",
    gateway: "10.0.0.1",
    ip6: "2001:db8::9/64",
    gateway6: "2001:db8::1",
    dns: { servers: ["10.0.0.2", "2001:db8::53"], domain: "lab.example.net" },
    drive: "ide",
  },
});

/** As little as can be said, on the older chipset, left as a plain VM. */
const plain = (project: Project): TemplateInput => ({
  vmId: 9001,
  image: { url: project.lab.image.url, checksum: project.lab.image.checksum, keepImage: false },
  machine: "pc",
  disk: { bus: "virtio" },
  agent: false,
  serialConsole: false,
  cloudInit: { network: { version: 2, ethernets: { eth0: { dhcp4: true } } } },
  makeTemplate: false,
});

/** A disk of the template 9000 with these options. */
const drive = (options: string) => expect.stringMatching(new RegExp(`base-9000-disk-\\d+,${options}$`));

describe("a VM", () => {
  let project: Project;
  let before: Awaited<ReturnType<Project["lab"]["control"]["state"]>>;

  /** Writes the config, and the password as its owner would. */
  const configure: Project["configure"] = async (change) => {
    await project.configure(change);
    const path = "proxmox-golden-fleet:templates.full.cloudInit.password";
    const set = ["config", "set", "--stack", "test", "--secret", "--path", path, PASSWORD];
    const { dir, env } = project;
    await runPulumi(await ensureToolchain(), set, { cwd: dir, env, onStdout: () => undefined });
  };

  beforeAll(async () => {
    project = await openProject();
    const root = clientOf(project.lab, project.lab.rootToken);
    await root.post("/pools", { poolid: "golden" });
    await root.close();
    before = await project.lab.control.state();
    await configure((config) => {
      config.templates = { full: full(project), plain: plain(project) };
      config.cloneSets = {};
    });
  });
  afterAll(() => project?.close());

  it("is made with all options, and with none", async () => {
    const run = await project.pulumi("up");
    expect(run.diagnostics).toBe("");
    expect(run.changes).toEqual({ create: RESOURCES });
    const order = run.steps.map(({ name }) => name).filter((name) => /^9000-(vendor|user|vm|conversion)$/.test(name));
    expect([...new Set(order)]).toEqual(["vendor", "user", "vm", "conversion"].map((kind) => `9000-${kind}`));
    const { vms } = await project.lab.control.state();
    expect(vms["9000"]).toMatchObject({
      name: "golden.example.net",
      status: "stopped",
      pool: "golden",
      config: {
        template: 1,
        description: expect.stringMatching(/^# Golden\n\nAsk \*ops\* before you touch it\.\n\nproxmox-golden-fleet: /),
        tags: expect.stringMatching(/^base;fleet-\w+;zebra$/),
        protection: 1,
        onboot: 0,
        bios: "ovmf",
        machine: "q35",
        ostype: "win11",
        cores: 4,
        sockets: 2,
        cpu: "host",
        numa: 1,
        memory: "8192",
        balloon: 4096,
        scsihw: "virtio-scsi-single",
        boot: "order=scsi0;net0",
        agent: expect.stringContaining("enabled=1"),
        serial0: "socket",
        vga: "memory=64,type=virtio",
        hostpci0: "mapping=rtx4090,pcie=1,rombar=0,x-vga=1",
        net0: "virtio=BC:24:11:00:00:01,bridge=vmbr0,firewall=1,mtu=1400,tag=42",
        net1: expect.stringMatching(/^e1000=[0-9A-F:]{17},bridge=vmbr0,firewall=0$/),
        efidisk0: expect.stringMatching(/base-9000-disk-\d+,efitype=4m,pre-enrolled-keys=0/),
        tpmstate0: expect.stringMatching(/base-9000-disk-\d+,.*version=v2\.0/),
        scsi0: drive("aio=threads,backup=0,cache=writeback,discard=on,iothread=1,replicate=1,size=32G,ssd=1"),
        scsi1: drive("aio=io_uring,backup=1,cache=none,discard=ignore,iothread=0,replicate=1,size=8G,ssd=0"),
        virtio0: drive("aio=native,backup=1,cache=directsync,discard=on,iothread=1,replicate=1,size=4G"),
        sata0: drive("aio=io_uring,backup=1,cache=writethrough,discard=on,replicate=1,size=2G,ssd=1"),
        ide0: "none,media=cdrom",
        ide2: expect.stringContaining("vm-9000-cloudinit"),
        citype: "nocloud",
        cicustom: expect.stringMatching(
          /^user=local:snippets\/full-9000-user-\w+\.yaml,vendor=local:snippets\/full-9000-vendor-/,
        ),
        ipconfig0: "gw=10.0.0.1,gw6=2001:db8::1,ip=10.0.0.9/24,ip6=2001:db8::9/64",
        nameserver: "10.0.0.2 2001:db8::53",
        searchdomain: "lab.example.net",
      },
    });
    const { config } = vms["9001"] ?? { config: {} };
    expect(vms["9001"]).toMatchObject({ name: "plain", status: "stopped", pool: null });
    expect(config).toMatchObject({
      bios: "seabios",
      machine: "pc",
      boot: "order=virtio0",
      agent: expect.stringContaining("enabled=0"),
      virtio0: expect.stringMatching(/vm-9001-disk-0,.*size=20G/),
      scsi30: expect.stringContaining("vm-9001-cloudinit"),
      ide2: "none,media=cdrom",
      ipconfig0: "ip=dhcp",
      cicustom: expect.stringContaining("network=local:snippets/plain-9001-network-"),
    });
    for (const key of ["template", "efidisk0", "tpmstate0", "serial0"]) expect(config).not.toHaveProperty(key);
  });

  it("is told in full by the component's outputs", async () => {
    const { templates } = (await project.outputs()) as { templates: Record<string, unknown> };
    const { checksum } = project.lab.image;
    expect(templates.full).toEqual({
      vmId: 9000,
      nodeName: "pve1",
      name: "golden.example.net",
      isTemplate: true,
      contentHash: expect.stringMatching(/^[0-9a-f]{12}$/),
      snippetIds: [
        expect.stringMatching(/^local:snippets\/full-9000-vendor-/),
        expect.stringMatching(/^local:snippets\/full-9000-user-/),
      ],
      image: {
        volumeId: expect.stringMatching(/^local:import\/golden-[0-9a-f]{16}\.qcow2$/),
        file: expect.stringMatching(/^golden-/),
        format: "qcow2",
        sizeBytes: project.lab.image.size,
        virtualSizeBytes: 200 * 2 ** 20,
        checksum,
        origin: "downloaded",
      },
    });
    expect(templates.plain).toMatchObject({ vmId: 9001, isTemplate: false });
  });

  it("keeps the password out of the state, and its hash secret", async () => {
    const state = await project.state();
    expect(state).not.toContain(PASSWORD);
    expect(state).not.toContain("$6$");
    const { files } = await project.lab.control.state();
    expect(Object.keys(files).filter((name) => name.includes("full-9000-user-"))).toHaveLength(1);
  });

  it("is left alone by a second up, a refresh and a preview", async () => {
    const again = await project.pulumi("up");
    expect([again.steps, again.changes]).toEqual([[], { same: RESOURCES }]);
    expect((await project.pulumi("refresh")).changes).toEqual({ same: RESOURCES });
    expect((await project.pulumi("preview", ["--expect-no-changes"])).code).toBe(0);
  });

  it("is refused at preview when a disk of a plain VM would have to shrink; it grows in place", async () => {
    await configure((config) => {
      Object.assign(config.templates?.plain ?? {}, { disk: { bus: "virtio", sizeGiB: 10 } });
    });
    const preview = await project.pulumi("preview");
    expect(preview.code).not.toBe(0);
    expect(preview.diagnostics).toMatch(
      /disk-size: templates\.plain\.disk\.sizeGiB: found 10, but virtio0 of VM 9001 has 20 GiB/,
    );
    await configure((config) => {
      Object.assign(config.templates?.plain ?? {}, { disk: { bus: "virtio", sizeGiB: 24 } });
    });
    const run = await project.pulumi("up");
    expect(run.diagnostics).toBe("");
    expect(run.changes.replace).toBeUndefined();
    expect((await project.lab.control.state()).vms["9001"]?.config.virtio0).toMatch(/vm-9001-disk-0,.*size=24G/);
  });

  it("is not destroyed while it is protected, the others are; then nothing is left", async () => {
    const refused = await project.pulumi("destroy");
    expect(refused.code).not.toBe(0);
    expect(refused.diagnostics).toContain('VM 9000 "golden.example.net" is protected. Set protection: false');
    // One that cannot be deleted keeps no other from being deleted.
    expect((await project.lab.control.state()).vms).toMatchObject({ 9000: {} });
    expect((await project.lab.control.state()).vms["9001"]).toBeUndefined();
    await configure((config) => {
      Object.assign(config.templates?.full ?? {}, { protection: false });
    });
    const run = await project.pulumi("up");
    expect(run.diagnostics).toBe("");
    expect(run.steps).toContainEqual({ op: "update", name: "9000-vm" });
    expect((await project.pulumi("destroy")).diagnostics).toBe("");
    const { vms, volumes, files } = await project.lab.control.state();
    expect({ vms, volumes, files }).toEqual({ vms: before.vms, volumes: before.volumes, files: before.files });
  });
});
