import { describe, expect, it } from "vitest";
import { helpText, parseOptions, tokenNameOf, UsageError } from "./options.ts";

const FINGERPRINT = `AA:${Array(31).fill("0b").join(":")}`;

describe("options", () => {
  it("are read", () => {
    const options = parseOptions(["--yes", "--stack", "home", "--clones=5"]);
    expect([options.has("yes"), options.text("stack"), options.text("clones")]).toEqual([true, "home", "5"]);
    expect(options.has("print")).toBe(false);
  });

  it.each([
    [["--accept-fingerprint"], "any"],
    [["--accept-fingerprint", "--yes"], "any"],
    [["--accept-fingerprint", FINGERPRINT, "--yes"], FINGERPRINT],
    [[`--accept-fingerprint=${FINGERPRINT}`], FINGERPRINT],
  ])("%j may have a value", (args, value) => {
    expect(parseOptions(args).text("accept-fingerprint")).toBe(value);
  });

  it.each([
    [["--acept-fingerprint"], "unknown option --acept-fingerprint; did you mean --accept-fingerprint?"],
    [["--zzzzzzzzz"], "unknown option --zzzzzzzzz; see --help"],
    [["home"], 'found "home"; every answer is an option, see --help'],
    [["--stack"], "--stack needs a value: NAME"],
    [["--yes=no"], "--yes takes no value"],
    [["--linked", "--full"], "--linked and --full exclude each other"],
    [["--password-stdin", "--token-stdin"], "--password-stdin and --token-stdin exclude each other"],
  ])("%j is refused", (args, message) => {
    expect(() => parseOptions(args)).toThrow(new UsageError(message));
  });

  it("the token has the stack's name where PVE takes it", () => {
    expect(["home", "1", "_x", "a"].map(tokenNameOf)).toEqual(["home", "fleet-1", "fleet-_x", "fleet-a"]);
  });

  it("everything wrong is told at once", () => {
    expect(() => parseOptions(["--stak", "x"])).toThrow(/--stack\?\nfound "x"/);
  });

  it("help names every option, the images and the exit codes", () => {
    const text = helpText(["ubuntu  Ubuntu"]);
    for (const name of ["--accept-fingerprint [SHA256]", "--print", "--ip-range RANGE", "  ubuntu  Ubuntu", "  130  "])
      expect(text).toContain(name);
    expect(text.split("\n").filter((line) => line.length > 124)).toEqual([]);
  });
});
