import { homedir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { localPath, readLocalFile } from "./files.ts";

test("~ is the home folder, a relative path starts at the project's folder", () => {
  expect(localPath("~/.ssh/id.pub")).toBe(join(homedir(), ".ssh/id.pub"));
  expect(localPath("~")).toBe(homedir());
  expect(localPath("./ca.pem")).toBe(join(process.cwd(), "ca.pem"));
  expect(localPath("/etc/ca.pem")).toBe("/etc/ca.pem");
  expect(localPath("~other/x")).toBe(join(process.cwd(), "~other/x"));
});

test("why a file cannot be read is said in words", () => {
  expect(readLocalFile("/no/such/file")).toEqual({ reason: "cannot read /no/such/file: there is no such file" });
  expect(readLocalFile("a\nb")).toEqual({ reason: "this is no path: it has more than one line" });
  expect(readLocalFile("/dev/null")).toEqual({ text: "" });
});
