import { describe, expect, it } from "vitest";
import type { FirstBoot } from "../config/cloudInit.ts";
import { existingTemplate, type TemplateFacts } from "../config/existing.ts";
import type { CloneSource, PlacedClone } from "../config/fleet.ts";
import { load, noble, PUBLIC_KEY, templateFacts } from "../config/testing.ts";
import { CloneBoots } from "./cloneBoot.ts";

const { templates } = load({ templates: { noble: { ...noble, cloudInit: { user: "ubuntu", packages: ["htop"] } } } });
const template = templates.noble as CloneSource;
const elsewhere = (facts: Partial<TemplateFacts> = {}) =>
  existingTemplate("templates.debian", { ...templateFacts, ...facts });

const boot = (cloudInit: FirstBoot[], source: CloneSource = template, change: Partial<PlacedClone> = {}) =>
  new CloneBoots().of(
    { name: "web-1", vmId: 9101, ip: "10.0.0.21/24", cloudInit, ...change } as unknown as PlacedClone,
    1,
    source,
  );
const contentOf = (...layers: FirstBoot[]) => boot(layers)?.content;

describe("what a clone is made with", () => {
  it("is the template's where nothing is said, whatever is said of DNS", () => {
    expect(boot([])).toBeUndefined();
    for (const nothing of [{}, { packages: [] }, { vendor: {} }, { dns: { servers: ["10.0.0.1"] } }])
      expect(contentOf(nothing), JSON.stringify(nothing)).toBeUndefined();
    expect(boot([{ dns: { servers: ["10.0.0.9"] } }])?.cloudInit.dns?.servers).toEqual(["10.0.0.9"]);
  });

  it("is the same whether the set says it or the clone, and whatever template it is over", () => {
    expect(contentOf({ packages: ["nginx"] }, { timezone: "UTC" })).toBe(
      contentOf({ packages: ["nginx"], timezone: "UTC" }),
    );
    const password = [{ password: "correct horse" }];
    expect(boot(password, { ...template, vmId: 9010 })?.content).toBe(boot(password)?.content);
  });

  it("is not another one by another name or address, though these stand in its texts", () => {
    const layer = { runCommands: ["echo {name} {ip}"] };
    const other = boot([layer], template, { name: "web-2", ip: "10.0.0.22/24" });
    expect(other?.content).toBe(contentOf(layer));
    expect(other?.snippets[0]?.text).toContain("echo web-2 10.0.0.22");
  });

  it("is another one by what is said, and by nobody's keys", () => {
    const all = [
      { packages: ["nginx"] },
      { packages: ["caddy"] },
      { user: "admin" },
      { sshPublicKeys: [] },
      { password: "x" },
    ];
    expect(new Set(all.map((one) => contentOf(one))).size).toBe(all.length);
  });

  it("has no password in it", () => {
    const { snippets, content } = boot([{ password: "correct horse" }]) ?? {};
    expect(JSON.stringify({ snippets, content })).toMatch(/^(?!.*correct horse).*\$6\$/);
  });
});

describe("words of the clone", () => {
  it("stand in the user's own texts alone, and can be written to stay", () => {
    const own = boot([{ user: "ops", password: "abc{n}d", runCommands: [String.raw`print(f"\{ip}") {n}`] }]);
    expect(own?.snippets.find(({ kind }) => kind === "vendor")?.text).toContain('print(f"{ip}") 1');
    expect(own?.cloudInit.password).toBe("abc{n}d");
  });

  it("make a text for each clone; without them all of a set share one", () => {
    const boots = new CloneBoots();
    const layer = { packages: ["nginx"] };
    const of = (name: string) =>
      boots.of({ name, vmId: 9101, ip: "dhcp", cloudInit: [layer] } as unknown as PlacedClone, 1, template);
    expect(of("a")).toBe(of("b"));
  });
});

describe("over a template that was made elsewhere", () => {
  it("user, password and keys are fields of the VM; no keys are no keys", () => {
    expect(boot([{ user: "ops", sshPublicKeys: [PUBLIC_KEY] }], elsewhere())).toMatchObject({
      snippets: [],
      account: { ciuser: "ops", sshkeys: encodeURIComponent(PUBLIC_KEY) },
    });
    expect(boot([{ sshPublicKeys: [] }], elsewhere())?.account).toEqual({ sshkeys: "" });
  });

  it("user-data takes its user and keys along", () => {
    const found = elsewhere({ user: "debian", publicKeys: [PUBLIC_KEY] });
    const [snippet] = boot([{ userData: { ssh_pwauth: true } }], found)?.snippets ?? [];
    expect(snippet?.text).toMatch(/user: debian[\s\S]*ssh_authorized_keys:\n {2}- ssh-ed25519/);
  });
});
