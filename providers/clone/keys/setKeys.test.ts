import { spawnSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { PUBLIC_KEY } from "../../../config/testing.ts";
import { keysInput } from "../../../fleet/loginKeys.ts";

/** The script as /bin/sh runs it, in a guest that is a folder. */

const SCRIPT = readFileSync(join(import.meta.dirname, "setKeys.sh"), "utf8");
const OTHER_KEY = PUBLIC_KEY.replace("demo", "other");

let guest: string;
const home = () => join(guest, "home", "ops");
const file = (name = "authorized_keys") => join(home(), ".ssh", name);
const read = (name?: string) => readFileSync(file(name), "utf8");
const mode = (path: string) => (statSync(path).mode & 0o7777).toString(8);

/** A program of the guest. */
function program(name: string, text: string) {
  writeFileSync(join(guest, "bin", name), `#!/bin/sh\n${text}\n`);
  chmodSync(join(guest, "bin", name), 0o755);
}

beforeEach(() => {
  guest = mkdtempSync(join(tmpdir(), "golden-fleet-keys-"));
  mkdirSync(join(guest, "bin"));
  mkdirSync(home(), { recursive: true });
  const [uid, gid] = [process.getuid?.(), process.getgid?.()];
  program("getent", `[ "$2" = ops ] || exit 2\necho "ops:x:${uid}:${gid}:Ops,,:${home()}:/bin/bash"`);
  program("cloud-init", "echo 'status: done'");
  program("sshd", "echo 'port 22'\necho 'authorizedkeysfile .ssh/authorized_keys .ssh/authorized_keys2'");
});
afterEach(() => rmSync(guest, { recursive: true, force: true }));

function run(input: string, user = "ops") {
  const { status, stdout, stderr } = spawnSync("/bin/sh", ["-c", SCRIPT, "sh", user], {
    input,
    encoding: "utf8",
    cwd: guest,
    env: { PATH: [join(guest, "bin"), process.env.PATH].join(delimiter) },
  });
  return { status, out: stdout.trim(), err: stderr.trim() };
}
const give = (...keys: string[]) => run(keysInput(keys));

/** What the user has must be what there was, with nothing beside it. */
function expectUntouched(before: string) {
  expect(read()).toBe(before);
  expect(readdirSync(join(home(), ".ssh"))).toEqual(["authorized_keys"]);
}

describe("the keys of a user in the guest", () => {
  it("are exactly those that come, in a file that is the user's alone", () => {
    mkdirSync(join(home(), ".ssh"), { mode: 0o755 });
    writeFileSync(file(), "ssh-rsa AAAA leaked\nssh-rsa AAAB by hand\n", { mode: 0o644 });
    writeFileSync(file("authorized_keys2"), "ssh-rsa AAAA leaked\n");
    expect(give(PUBLIC_KEY, OTHER_KEY)).toEqual({ status: 0, out: "given 2", err: "" });
    expect(read()).toBe(`${PUBLIC_KEY}\n${OTHER_KEY}\n`);
    expect([mode(file()), mode(join(home(), ".ssh"))]).toEqual(["600", "700"]);
    expect(readdirSync(join(home(), ".ssh"))).toEqual(["authorized_keys"]);
  });

  it("are there although the user had none, and the same when they come twice", () => {
    for (const _ of [1, 2]) expect(give(PUBLIC_KEY)).toMatchObject({ status: 0, out: "given 1" });
    expect(read()).toBe(`${PUBLIC_KEY}\n`);
    expect([mode(file()), mode(join(home(), ".ssh"))]).toEqual(["600", "700"]);
  });

  it.each([
    `from="10.0.0.0/8",command="echo '$HOME' \`id\` \\"%s\\" $(touch pwned)" ${PUBLIC_KEY}`,
    `${PUBLIC_KEY.replace("demo", "Jürgen's \\n \\c \\0101 ключ 🔑 %s %b")}`,
    `${PUBLIC_KEY.replace("demo", "end")}`,
    `${PUBLIC_KEY.replace("demo", "-n * ~ \t |;&")}`,
  ])("are taken as they are, whatever stands in them: %s", (key) => {
    expect(give(key, OTHER_KEY)).toMatchObject({ status: 0, out: "given 2" });
    expect(read()).toBe(`${key}\n${OTHER_KEY}\n`);
    expect(existsSync(join(guest, "pwned"))).toBe(false);
  });

  it("replace a link, and not what it leads to", () => {
    mkdirSync(join(home(), ".ssh"));
    writeFileSync(join(guest, "shadow"), "secret");
    symlinkSync(join(guest, "shadow"), file());
    expect(give(PUBLIC_KEY).status).toBe(0);
    expect([read(), readFileSync(join(guest, "shadow"), "utf8")]).toEqual([`${PUBLIC_KEY}\n`, "secret"]);
  });

  it("do not go where a link leads in place of ~/.ssh", () => {
    mkdirSync(join(guest, "elsewhere"));
    symlinkSync(join(guest, "elsewhere"), join(home(), ".ssh"));
    expect(give(PUBLIC_KEY)).toMatchObject({ status: 1, err: expect.stringMatching(/\.ssh is a link$/) });
    expect(readdirSync(join(guest, "elsewhere"))).toEqual([]);
  });
});

describe("nothing is changed", () => {
  const before = `${OTHER_KEY}\n`;
  beforeEach(() => {
    mkdirSync(join(home(), ".ssh"));
    writeFileSync(file(), before);
  });
  afterEach(() => expectUntouched(before));

  it.each(["", `${PUBLIC_KEY}\n`, keysInput([PUBLIC_KEY, OTHER_KEY]).slice(0, -5), "end\n"])(
    "if the keys do not come as a whole: %j",
    (input) => {
      expect(run(input)).toEqual({ status: 1, out: "", err: "the keys did not come as a whole" });
    },
  );

  it("if there is no such user, whatever its name", () => {
    for (const user of ["nobody-here", "$(touch pwned)", "-x", "a b'\"", ""])
      expect(run(keysInput([PUBLIC_KEY]), user)).toMatchObject({ status: 1, err: `there is no user ${user}`.trim() });
    expect(existsSync(join(guest, "pwned"))).toBe(false);
  });

  it.each(["status: running", "status: not started", "status: not run"])("while cloud-init says %s", (text) => {
    program("cloud-init", `echo '${text}'`);
    expect(give(PUBLIC_KEY)).toEqual({ status: 75, out: "", err: "cloud-init is still at work" });
  });

  it.each([
    ["/etc/ssh/keys/%u", " alone"],
    [".ssh/authorized_keys /etc/ssh/keys/%u", " alone"],
    [".ssh/authorized_keys2", ""],
  ])("if sshd reads keys from another place, too: %s", (files, alone) => {
    program("sshd", `echo 'authorizedkeysfile ${files}'`);
    const err = `sshd reads the keys of ops from ${files}, not from ~/.ssh/authorized_keys${alone}`;
    expect(give(PUBLIC_KEY)).toEqual({ status: 1, out: "", err });
  });

  it("if the file cannot be written", () => {
    program("chown", "echo 'chown: not permitted' >&2; exit 1");
    expect(give(PUBLIC_KEY)).toMatchObject({ status: 1, out: "", err: "chown: not permitted" });
  });
});

it("a guest without cloud-init, and whose sshd cannot be asked, takes keys as well", () => {
  program("cloud-init", "exit 127");
  program("sshd", "echo 'no hostkeys available' >&2; exit 1");
  expect(give(PUBLIC_KEY)).toMatchObject({ status: 0, out: "given 1" });
});

it("a user whose home is not there has no keys", () => {
  rmSync(home(), { recursive: true });
  expect(give(PUBLIC_KEY)).toMatchObject({ status: 1, err: `the home of ops, ${home()}, is not there` });
});
