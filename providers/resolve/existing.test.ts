import { expect, test } from "vitest";
import { ApiError } from "../../proxmox/errors.ts";
import { fakeClient } from "../../proxmox/fakeClient.ts";
import type { GuestEntry } from "../../proxmox/guests.ts";
import { existingTemplates } from "./existing.ts";
import { templateFacts } from "./templateFacts.ts";

const CONFIG = {
  name: "debian",
  template: 1,
  boot: "order=ide2;virtio0;scsi0",
  scsi0: "local-lvm:base-900-disk-1,size=8G",
  virtio0: "nfs:base-900-disk-0,size=3G",
  ide2: "local-lvm:vm-900-cloudinit,media=cdrom",
  net0: "virtio=BC:24:11:00:00:01,bridge=vmbr0,tag=7",
  hostpci0: "mapping=gpu,pcie=1,x-vga=1",
  agent: "enabled=1,fstrim_cloned_disks=1",
  ciuser: "debian",
  sshkeys: encodeURIComponent("ssh-rsa A\nssh-rsa B\n"),
  cipassword: "**********",
  smbios1: "uuid=6d5f6f0e-6d1c-4c0f-9f64-0c9f2f6a1900",
  meta: "creation-qemu=9.2.0,ctime=1767225600",
};
const GUESTS: GuestEntry[] = [
  { vmid: 900, node: "pve1", type: "qemu", name: "debian", template: 1, tags: "debian;golden" },
  { vmid: 901, node: "pve2", type: "qemu", name: "debian", template: 1, tags: "debian" },
  { vmid: 100, node: "pve1", type: "qemu", name: "nas" },
];

const find = (query: object, answer: unknown = CONFIG, last = {}) => {
  const { client } = fakeClient((call) => {
    if (answer instanceof Error) throw answer;
    return call.endsWith("/100/config") ? { name: "nas" } : answer;
  });
  return existingTemplates(client, { debian: { path: "templates.debian.existing", query } }, GUESTS, last);
};
const messages = async (...args: Parameters<typeof find>) =>
  (await find(...args)).problems.map(({ message }) => message);

test("a template is what PVE says of it: the disk that it boots from comes first", () => {
  expect(templateFacts({ vmId: 900, node: "pve1" }, CONFIG)).toMatchObject({
    name: "debian",
    disks: [
      { drive: "virtio0", datastore: "nfs", sizeGiB: 3 },
      { drive: "scsi0", datastore: "local-lvm", sizeGiB: 8 },
    ],
    datastores: { cloudInit: "local-lvm" },
    nics: [{ bridge: "vmbr0", vlan: 7 }],
    gpus: [{ mapping: "gpu", pcie: true, primary: true }],
    hasAgent: true,
    user: "debian",
    publicKeys: ["ssh-rsa A", "ssh-rsa B"],
    hasPassword: true,
  });
});

test("it is the same one until somebody makes it anew", () => {
  const contentOf = (change: object) => templateFacts({ vmId: 900, node: "pve1" }, { ...CONFIG, ...change }).content;
  expect(contentOf({ description: "Ask Mia", tags: "x", memory: "4096" })).toBe(contentOf({}));
  expect(contentOf({ meta: "creation-qemu=9.2.0,ctime=1767229999" })).not.toBe(contentOf({}));
  expect(contentOf({ smbios1: "uuid=11111111-6d1c-4c0f-9f64-0c9f2f6a1900" })).not.toBe(contentOf({}));
});

test("exactly one must match", async () => {
  expect((await find({ name: "debian", tags: ["golden"] })).existing.debian?.vmId).toBe(900);
  expect((await find({ name: "debian", node: "pve2" })).existing.debian?.vmId).toBe(901);
  expect(await messages({ name: "debian" })).toEqual([
    'found name "debian", which 2 templates have: 900 "debian" on node pve1 and 901 "debian" on node pve2; expected what one alone has, for example its vmId',
  ]);
  expect(await messages({ name: "nas" })).toEqual([expect.stringContaining('found name "nas", but no template')]);
  expect(await messages({ vmId: 100 })).toEqual([
    expect.stringContaining("which is no template; expected one: `qm template 100`"),
  ]);
});

test("one that is not found any more is as it was, where nothing has to be made of it", async () => {
  const facts = templateFacts({ vmId: 900, node: "pve1" }, CONFIG);
  const down = new ApiError("GET /nodes/pve1/qemu/900/config", 595, "No route to host");
  expect(await messages({ vmId: 900 }, down)).toEqual([
    'found VM 900 "debian" on node pve1, and that node does not answer',
  ]);
  const { existing, problems } = await find({ vmId: 900 }, down, { debian: { ...facts, query: { vmId: 900 } } });
  expect([existing.debian, problems]).toEqual([
    { ...facts, query: { vmId: 900 }, missing: 'found VM 900 "debian" on node pve1, and that node does not answer' },
    [],
  ]);
  expect(await messages({ vmId: 901 }, down, { debian: { ...facts, query: { vmId: 900 } } })).toHaveLength(1);
});
