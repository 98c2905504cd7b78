import { expect, test } from "vitest";
import { plainLines } from "./line.ts";

test("the line can be pasted: globs and blanks are quoted, and what is to be exported stands before it", () => {
  const args = ["up", "--target", "**::vm-9101", "--message", "it's mine"];
  const added = { PATH: "/a b/bin:/usr/bin", SSL_CERT_FILE: "/a b/ca.pem", PULUMI_HOME: "/home" };
  expect(plainLines(args, added, { PATH: "/usr/bin", PULUMI_HOME: "/home" })).toEqual([
    `export PATH='/a b/bin:'"$PATH" SSL_CERT_FILE='/a b/ca.pem'`,
    `pulumi up --target '**::vm-9101' --message 'it'\\''s mine'`,
  ]);
});

test("an environment that has it all needs no export", () => {
  expect(plainLines(["stack", "output"], { PULUMI_HOME: "/home" }, { PULUMI_HOME: "/home" })).toEqual([
    "pulumi stack output",
  ]);
});

test.each([
  [["config", "set", "--secret", "apiToken", "a@b!c=hush"], "pulumi config set --secret apiToken '…'"],
  [["config", "set", "--stack", "home", "apiToken", "hush"], "pulumi config set --stack home apiToken '…'"],
  [["config", "set-all", "--secret", "password=hush"], "pulumi config set-all --secret '…'"],
  [["config", "set-all", "--secret=password=hush"], "pulumi config set-all '…'"],
  [
    ["--stack", "home", "config", "set", "--secret", "apiToken", "hush"],
    "pulumi --stack home config set --secret apiToken '…'",
  ],
  [
    ["config", "--stack", "home", "set", "--secret", "apiToken", "hush"],
    "pulumi config --stack home set --secret apiToken '…'",
  ],
  [
    ["--color=never", "-s", "set", "config", "set", "apiToken", "hush"],
    "pulumi --color=never -s set config set apiToken '…'",
  ],
  [["-shome", "config", "set-all", "--secret", "a=hush"], "pulumi -shome config set-all --secret '…'"],
  [["config", "set", "--secret", "apiToken", "-hush"], "pulumi config set --secret apiToken '…'"],
  [["config", "set", "apiToken", "--", "--hush"], "pulumi config set apiToken -- '…'"],
  [["config", "set", "--path", "cluster.node", "pve2"], "pulumi config set --path cluster.node pve2"],
])("a secret that is being stored is not shown: %j", (args, line) => {
  expect(plainLines(args, {}, {})).toEqual([line]);
});
