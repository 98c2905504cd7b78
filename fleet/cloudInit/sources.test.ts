import { expect, test } from "vitest";
import { replicas } from "../../config/replicas.ts";
import { templateSchema } from "../../config/template.ts";
import { PUBLIC_KEY } from "../../config/testing.ts";
import { renderSnippets } from "../templateContent.ts";
import { snippetSources } from "./sources.ts";

type CloudInit = NonNullable<(typeof templateSchema)["_zod"]["input"]["cloudInit"]>;

/** Every key of `cloudInit` with a value that is not its default; none of a file, which is no text of the config. */
const VALUES: Required<Omit<CloudInit, "sshPublicKeyFile">> = {
  user: "ann",
  password: "hunter2",
  sshPublicKeys: [PUBLIC_KEY],
  packages: ["htop"],
  packageUpgrade: true,
  timezone: "Europe/Vienna",
  locale: "de_AT.UTF-8",
  runCommands: ["true"],
  writeFiles: [{ path: "/a", content: "b" }],
  vendor: { ntp: { enabled: true } },
  userData: { final_message: "x" },
  raw: { text: "{}" },
  meta: { text: "instance-id: one" },
  network: { version: 2 },
  dns: { servers: ["10.0.0.1"] },
  drive: "ide",
  snippets: true,
  ip: "10.0.0.5/24",
  gateway: "10.0.0.1",
  ip6: "auto",
  gateway6: "fe80::1",
};

const snippets = (cloudInit: CloudInit) => {
  const image = { url: "https://example.net/noble.img" };
  const { noble } = replicas("noble", templateSchema.parse({ vmId: 9000, image, cloudInit }), "pve1");
  if (!noble) throw new Error("the template is gone");
  return renderSnippets(noble);
};

test.each(Object.keys(VALUES) as (keyof typeof VALUES)[])("what %s changes is known", (key) => {
  const [before, after] = [snippets({}), snippets({ [key]: VALUES[key] })];
  for (const kind of ["vendor", "user", "meta", "network"] as const) {
    const changed = after[kind] !== undefined && before[kind] !== after[kind];
    expect(snippetSources(kind, "templates.noble").includes(`templates.noble.cloudInit.${key}`), kind).toBe(changed);
  }
});
