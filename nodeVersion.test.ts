import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { expect, test } from "vitest";

/** What a Node says that starts the program. */
function start(node: string, ...args: string[]) {
  const { status, stdout, stderr } = spawnSync(
    node,
    [...args, "--import", "./fastStart.mjs", "-e", "console.log('on')"],
    {
      cwd: import.meta.dirname,
      encoding: "utf8",
    },
  );
  return { status, stdout, stderr };
}

/** This Node, with another version. */
const startAs = (version: string) =>
  start(
    process.execPath,
    "--import",
    `data:text/javascript,Object.defineProperty(process.versions, "node", { value: "${version}" })`,
  );

test.each(["18.20.8", "20.20.2", "22.18.0", "23.11.1"])("Node %s is told in one line what to do instead", (version) => {
  expect(startAs(version)).toEqual({
    status: 32,
    stdout: "",
    stderr: expect.stringMatching(
      new RegExp(
        `^Node ${version} .* it needs 22\\.19 or newer, or 24\\. .* export PATH="\\$PWD/node_modules/.bin:\\$PATH"\n$`,
      ),
    ),
  });
});

test.each(["22.19.0", "22.23.1", "24.0.0", "26.1.0"])("Node %s runs the program", (version) => {
  expect(startAs(version)).toMatchObject({ status: 0, stdout: "on\n" });
});

/** PATH without the Node of npm. */
const PATH = (process.env.PATH ?? "")
  .split(delimiter)
  .filter((folder) => !folder.includes("node_modules"))
  .join(delimiter);
const machines = spawnSync("node", ["--version"], { encoding: "utf8", env: { PATH } }).stdout;

test.runIf(/^v(18|20)\./.test(machines))(
  "the machine's own, old Node is told as well, though it lacks what the rest imports",
  () => {
    const { status, stderr } = start("env", `PATH=${PATH}`, "node");
    expect(stderr).toMatch(/^Node (18|20)\S+ \(\S+\) does not run this program: [^\n]*\n$/);
    expect(status).toBe(32);
  },
);

test("package.json says the same", () => {
  const { engines } = JSON.parse(readFileSync(join(import.meta.dirname, "package.json"), "utf8"));
  expect(engines.node).toBe("^22.19.0 || >=24.0.0");
});
