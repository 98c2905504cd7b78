import { describe, expect, test } from "vitest";
import { load, noble, PUBLIC_KEY, problems, cluster as withSsh } from "../testing.ts";
import { usesSnippets } from "./snippets.ts";

const { ssh: _, ...cluster } = withSsh;
const fitting = {
  user: "ubuntu",
  password: "correct horse",
  sshPublicKeys: [PUBLIC_KEY],
  dns: { servers: ["10.0.0.1"], domain: "example.net" },
};
const of = (cloudInit: object, more: object = {}) => ({
  cluster,
  templates: { noble: { ...noble, cloudInit } },
  ...more,
});
const uses = (config: Record<string, unknown>) => {
  const template = load(config).templates.noble;
  return template && usesSnippets(template);
};

describe("a template without snippets", () => {
  test("is one that fits PVE's own fields, where there is no SSH", () => {
    expect(problems(of({ ...fitting, ip: "10.0.0.5/24", gateway: "10.0.0.1", drive: "ide" }))).toEqual([]);
    expect(uses(of(fitting))).toBe(false);
    expect(uses(of({}))).toBe(false);
  });

  test("is not one that has had snippets: with SSH it keeps them, unless the config says otherwise", () => {
    expect(uses(of(fitting, { cluster: withSsh }))).toBe(true);
    expect(uses(of({ ...fitting, snippets: false }, { cluster: withSsh }))).toBe(false);
    // The plugin uploads with the password of a Linux user.
    expect(uses(of(fitting, { apiToken: undefined, username: "root@pam", password: "x" }))).toBe(true);
    expect(uses(of(fitting, { apiToken: undefined, username: "root@pve", password: "x" }))).toBe(false);
  });
});

describe("what needs a snippet", () => {
  test.each<[string, object]>([
    ["packages", { packages: ["qemu-guest-agent"] }],
    ["packageUpgrade", { packageUpgrade: true }],
    ["timezone", { timezone: "Europe/Vienna" }],
    ["locale", { locale: "en_US.UTF-8" }],
    ["runCommands", { runCommands: ["true"] }],
    ["writeFiles", { writeFiles: [{ path: "/a", content: "b" }] }],
    ["vendor", { vendor: { ntp: { enabled: true } } }],
    ["userData", { userData: { ssh_pwauth: true } }],
    ["network", { network: { version: 2 } }],
    ["sshPublicKeys", { sshPublicKeys: [`${PUBLIC_KEY}: at home`] }],
  ])("is %s, which the config is told where SSH is missing", (key, cloudInit) => {
    expect(problems(of({ ...fitting, ...cloudInit }))).toEqual([
      expect.stringMatching(
        new RegExp(`^templates\\.noble\\.cloudInit\\.${key}: it needs a snippet; .*cluster\\.ssh is missing`),
      ),
    ]);
    expect(problems(of({ ...fitting, ...cloudInit }, { cluster: withSsh }))).toEqual([]);
  });

  test("is the password of a Windows guest, which PVE would hand on as it is, and so the hash", () => {
    const windows = (cloudInit: object) => ({
      cluster,
      templates: { noble: { ...noble, osType: "win10", cloudInit } },
    });
    const { password: _, ...others } = fitting;
    expect(problems(windows(others))).toEqual([]);
    expect(problems(windows(fitting))).toEqual([
      expect.stringMatching(/^templates\.noble\.cloudInit\.password: it needs a snippet/),
    ]);
  });

  test("is told once for each template, with all its keys", () => {
    const cloudInit = { packages: ["htop"], timezone: "UTC" };
    const templates = {
      noble: { ...noble, nodes: ["pve1", "pve2"], cloudInit },
      jammy: { ...noble, vmId: 9010, cloudInit: { locale: "C.UTF-8" } },
    };
    expect(problems({ cluster, templates })).toEqual([
      expect.stringMatching(
        /^templates\.noble\.cloudInit: templates\.noble\.cloudInit\.packages and templates\.noble\.cloudInit\.timezone need a snippet/,
      ),
      expect.stringMatching(/^templates\.jammy\.cloudInit\.locale: it needs/),
    ]);
  });

  test("contradicts snippets: false, and snippets: true needs SSH", () => {
    expect(problems(of({ packages: ["htop"], snippets: false }, { cluster: withSsh }))).toEqual([
      expect.stringMatching(/^templates\.noble\.cloudInit\.snippets: found false, but .*cloudInit\.packages needs/),
    ]);
    expect(problems(of({ snippets: true }))).toEqual([
      expect.stringMatching(/^templates\.noble\.cloudInit\.snippets: found true; .*cluster\.ssh is missing/),
    ]);
  });
});
