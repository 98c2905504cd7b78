import { expect, test } from "vitest";
import { SshError } from "../../../../proxmox/sshError.ts";
import { fakeFacts, found } from "../../fakeFacts.ts";
import { snippetsFolder } from "./snippetsFolder.ts";

const config = (more: object) => ({ datastoreConfigs: async () => [{ storage: "local", type: "dir", ...more }] });

test("the folder has to be where the plugin uploads to", async () => {
  expect(await found(snippetsFolder, fakeFacts())).toEqual(["pass the snippets folder exists"]);
  expect((await found(snippetsFolder, fakeFacts(config({ type: "lvmthin" }))))[0]).toMatch(
    /^fail cluster\.datastores\.snippets: .*has no folder/,
  );
  const moved = config({ path: "/var/lib/vz", "content-dirs": "iso=iso,snippets=ci/files" });
  expect((await found(snippetsFolder, fakeFacts(moved)))[0]).toMatch(
    /has its snippets in ci\/files .*uploads to \/var\/lib\/vz\/snippets$/,
  );
});

test("a folder that is not there yet is made by the upload", async () => {
  const facts = fakeFacts({
    snippetsFolder: async () => ({ login: "root@a:22", folder: "/var/lib/vz/snippets", exists: false }),
  });
  expect((await found(snippetsFolder, facts))[0]).toMatch(/^warn .*does not exist on node pve1 yet/);
});

test("without a login the folder is not looked at", async () => {
  const facts = fakeFacts({ snippetsFolder: () => Promise.reject(new SshError("auth", "refused")) });
  expect(await found(snippetsFolder, facts)).toEqual(["skip SSH to node pve1 does not work, see ssh-login"]);
});
