import { describe, expect, it } from "vitest";
import { clusterSchema } from "../config/cluster.ts";
import { replicas } from "../config/replicas.ts";
import { type TemplateInput, templateSchema } from "../config/template.ts";
import { PUBLIC_KEY } from "../config/testing.ts";
import { contentCases } from "./contentCases.ts";
import { renderSnippets, templateContent } from "./templateContent.ts";

const cluster = clusterSchema.parse({ endpoint: "https://pve1.example.net:8006", node: "pve1" });
const image = { url: "https://example.net/noble.img", checksum: `sha256:${"a".repeat(64)}` };
const parse = (fields: Partial<TemplateInput> = {}) => {
  const { noble } = replicas("noble", templateSchema.parse({ vmId: 9000, image, ...fields }), "pve1");
  if (!noble) throw new Error("the template is gone");
  return noble;
};
const content = (fields: Partial<TemplateInput> = {}) => templateContent(parse(fields), cluster);

it("gives all replicas of a template one content, password and all", () => {
  const fields = { nodes: ["pve1", "pve2"], cloudInit: { user: "ubuntu", password: "secret" } };
  const all = replicas("noble", templateSchema.parse({ vmId: 9000, image, ...fields }), "pve1");
  const hashes = Object.values(all).map((one) => templateContent(one, cluster));
  expect(hashes).toHaveLength(2);
  expect(new Set(hashes).size).toBe(1);
});

describe("the hash of a template's content", () => {
  it.each<[string, Partial<TemplateInput>]>([
    ["name", { name: "golden" }],
    ["notes", { description: "ask ops" }],
    ["tags", { tags: ["base"] }],
    ["pool", { pool: "golden" }],
    ["protection", { protection: true }],
    [
      "where its image comes from, as long as it is the same",
      { image: { ...image, url: "https://mirror.example.net/n.img" } },
    ],
    ["node", { node: "pve2" }],
    ["VMID", { vmId: 9001 }],
    ["whether its image is kept", { image: { ...image, keepImage: false } }],
  ])("is the same with another %s", (_, fields) => {
    expect(content(fields)).toBe(content());
  });

  it("is the same with other credentials in the URLs of its image", () => {
    const { url } = image;
    const lists = ["https://me:old@example.net/S?token=x", "https://example.net/S"];
    expect(new Set(lists.map((checksumUrl) => content({ image: { url, checksumUrl } }))).size).toBe(1);
    const urls = ["https://me:old@example.net/noble.img?v=1", "https://you:new@example.net/noble.img?v=1&token=x"];
    expect(new Set(urls.map((one) => content({ image: { url: one } }))).size).toBe(1);
  });

  it.each<[string, Partial<TemplateInput>]>([
    ["memory", { memoryMiB: 4096 }],
    ["disk size", { disk: { sizeGiB: 30 } }],
    ["firmware", { uefi: { enabled: true } }],
    ["image", { image: { ...image, checksum: `sha256:${"b".repeat(64)}` } }],
    ["package list", { cloudInit: { packages: ["htop"] } }],
    ["password", { cloudInit: { user: "ubuntu", password: "secret" } }],
    ["network interface", { nics: [{ vlan: 7 }] }],
  ])("is another with another %s", (_, fields) => {
    expect(content(fields)).not.toBe(content());
  });
});

// Values of the first version that could make such a template. A hash that changes makes the templates of everybody anew who has such a config.
const HASHES: Record<string, string> = {
  "nothing but an image": "3e4f06acc5ef",
  "an image without checksum": "3f09065787db",
  "an image with a list of checksums": "ebafedfc92c8",
  "a cluster with datastores and network of its own": "82b586670e67",
  "UEFI and TPM": "b6c372f68121",
  "UEFI and TPM on datastores of their own": "64ae596ef851",
  "processor and memory": "475afc59e6de",
  "the older chipset": "b0aff4edd786",
  "a virtio disk": "a90aa6764ab6",
  "many disks": "38b7134ac068",
  "many network interfaces": "3b0e89d4a6bc",
  "GPUs and display": "abbb24d23267",
  "a user with keys": "d433e407c00f",
  "a user with a password": "46e393048587",
  "everything of cloud-init": "ab10949a4da4",
  "a network-config": "c0ae3e239984",
  "a plain VM": "c8d5ca591b70",
  "a user in PVE's own fields": "c9e8e5b3157e",
};

it.each(Object.entries(contentCases))("the hash stays what it was in the first version: %s", (name, one) => {
  const at = clusterSchema.parse({ endpoint: "https://pve1.example.net:8006", node: "pve1", ...one.cluster });
  expect(templateContent(parse(one.template), at)).toBe(HASHES[name]);
});

it("is the same under another key, password and all, as long as it is the same VM", () => {
  const fields = { nodes: ["pve1", "pve2"], cloudInit: { user: "ubuntu", password: "secret" } };
  const all = (key: string) =>
    Object.values(replicas(key, templateSchema.parse({ vmId: 9000, image, ...fields }), "pve1"));
  const names = { 9000: "noble", 9001: "noble-pve2" };
  const hashes = (key: string) => all(key).map((one) => templateContent(one, cluster, names));
  expect(hashes("golden")).toEqual(hashes("noble"));
  expect(new Set(hashes("noble")).size).toBe(1);
});

it("lets only the hash of a password leave, and the public keys go with the user-data", () => {
  const snippets = renderSnippets(
    parse({ cloudInit: { user: "ubuntu", password: "correct horse", sshPublicKeys: [PUBLIC_KEY] } }),
  );
  expect(JSON.stringify(snippets)).not.toContain("correct horse");
  expect(snippets.user).toContain("$6$");
  expect(snippets.user).toContain(PUBLIC_KEY);
  expect(Object.keys(snippets)).toEqual(["vendor", "user"]);
});

it("is another with PVE's own fields instead of snippets, and another with another user, key or password in them", () => {
  const own = (cloudInit: TemplateInput["cloudInit"]) => content({ cloudInit: { ...cloudInit, snippets: false } });
  const cases = [
    content(),
    own({}),
    own({ user: "ubuntu" }),
    own({ user: "ubuntu", sshPublicKeys: [PUBLIC_KEY] }),
    own({ user: "ubuntu", password: "a" }),
    own({ user: "ubuntu", password: "b" }),
    own({ ip: "10.0.0.5/24" }),
  ];
  expect(new Set(cases).size).toBe(cases.length);
  expect(content({ cloudInit: { snippets: true } })).toBe(content());
});

it("makes a network snippet only where the config has one", () => {
  const network = { version: 2, ethernets: { eth0: { dhcp4: true } } };
  expect(renderSnippets(parse({ cloudInit: { network } })).network).toContain("dhcp4");
});
