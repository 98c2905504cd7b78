import { z } from "zod";
import { dns, localFile } from "./fields.ts";
import { bridgeId, datastoreId, nodeName } from "./formats.ts";
import { hostKeys } from "./hostKey.ts";

const fingerprint = z.string().regex(/^([0-9a-fA-F]{2}:){31}[0-9a-fA-F]{2}$/, {
  error:
    'expected a SHA-256 fingerprint, 32 hex pairs with colons, as in "AA:BB:…" (PVE: node > System > Certificates)',
});

const endpoint = z
  .url({
    protocol: /^https$/,
    error: "expected the URL of the API, for example https://pve1.example.net:8006",
    abort: true,
  })
  .refine((url) => /^https:\/\/[^/?#]+\/?$/.test(url) && !url.includes("@"), {
    error: "expected only scheme, host and port, for example https://pve1.example.net:8006",
  })
  .transform((url) => url.replace(/\/$/, ""));

const atOnce = z.int().min(1).max(64).default(6);

/** Where the cluster is, how the program reaches it, and which defaults it has. */
export const clusterSchema = z.strictObject({
  endpoint: endpoint.describe("URL of the PVE API"),
  tls: z
    .strictObject({
      caFile: localFile
        .optional()
        .describe("PEM file of the CA that signed the API's certificate, or of the certificate itself"),
      fingerprint: fingerprint.optional().describe("SHA-256 fingerprint of the API's certificate"),
      insecure: z.boolean().default(false).describe("true: do not verify the certificate at all"),
    })
    .prefault({})
    .describe("how the API's certificate is verified; without it, by the system's CAs"),
  ssh: z
    .strictObject({
      username: z
        .string()
        .min(1)
        .default("root")
        .describe("login on the node; it must be able to write the snippets folder"),
      privateKeyFile: localFile.optional().describe("unencrypted private key; without it the SSH agent is used"),
      hostKey: hostKeys
        .optional()
        .describe(
          "host key of the nodes, as ssh-keygen shows it: `SHA256:…` or `ssh-ed25519 AAAA…`; of several, each will do; default: what `~/.ssh/known_hosts` has",
        ),
      nodes: z
        .record(
          nodeName,
          z
            .strictObject({
              address: z
                .string()
                .min(1)
                .optional()
                .describe("host name or address; default: the address that the API names"),
              port: z.int().min(1).max(65535).default(22).describe("port of its SSH server"),
              hostKey: hostKeys.optional().describe("host key of this node; default: `ssh.hostKey`"),
            })
            .refine(({ address, port }) => address !== undefined || port === 22, {
              path: ["address"],
              error: "expected the node's address beside its port",
            }),
        )
        .default({})
        .describe("where each node's SSH server is; without it, port 22 of the address that the API names"),
    })
    .optional()
    .describe(
      "SSH to the nodes, for snippets only: the API cannot upload them; templates that need no snippet need no SSH",
    ),
  node: nodeName.describe("node that runs the VMs and downloads the images"),
  datastores: z
    .strictObject({
      images: datastoreId.default("local").describe("downloaded cloud images (content type import)"),
      snippets: datastoreId.default("local").describe("cloud-init snippets (content type snippets)"),
      disks: datastoreId
        .default("local-lvm")
        .describe("VM disks, EFI, TPM and cloud-init volumes (content type images)"),
    })
    .prefault({})
    .describe("where things go by default"),
  network: z
    .strictObject({
      bridge: bridgeId.default("vmbr0").describe("default bridge of network interfaces"),
      dns: dns.prefault({}).describe("default DNS of the guests"),
    })
    .prefault({})
    .describe("network of the guests"),
  limits: z
    .strictObject({
      clonesPerTemplate: atOnce.describe("clone tasks that copy from one template at the same time"),
      clonesPerDatastore: atOnce.describe(
        "clone tasks that write to one datastore at the same time; with many more than 6, they time out waiting for PVE's lock of the datastore",
      ),
    })
    .prefault({})
    .describe("how many tasks run on the cluster at the same time"),
});

export type Cluster = z.output<typeof clusterSchema>;
