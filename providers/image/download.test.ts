import { describe, expect, test } from "vitest";
import type { PveClient } from "../../proxmox/client.ts";
import { TaskDurations } from "../../proxmox/taskDurations.ts";
import { download, progressOf } from "./download.ts";

test.each([
  ["     0K ........ ........ ........ ........  23% 10.6M 10s", "23%"],
  ["131072K ........                           100% 8.16M=22s", "100%"],
  [" 32768K ........ ........ ........ ........ 43.9M", "32 MiB"],
  ["Length: 196616 (192K) [application/octet-stream]", undefined],
  ["HTTP request sent, awaiting response... 200 OK", undefined],
])("wget's line %j shows as %j", (line, expected) => {
  expect(progressOf(line)).toBe(expected);
});

const UPID = "UPID:pve1:0000:0000:0000:download:noble-url.qcow2:fleet@pve!golden:";

/** A node on which a file appears between the look at the datastore and the start of the download. */
function racingNode(): PveClient {
  let files: { volid: string }[] = [];
  const get = async (path: string) => {
    if (path.endsWith("/content")) return files;
    if (path.endsWith("/tasks")) return [];
    if (path.endsWith("/log")) return [];
    return {
      status: "stopped",
      exitstatus: "refusing to override existing file '/var/lib/vz/import/noble-url.qcow2'",
    };
  };
  return {
    get,
    getOnce: get,
    pauseMs: 1,
    taskDurations: new TaskDurations(),
    async post() {
      files = [{ volid: "local:import/noble-url.qcow2" }];
      return UPID;
    },
  } as unknown as PveClient;
}

describe("a download", () => {
  test("that another stack has just finished is taken as it is", async () => {
    const file = {
      node: "pve1",
      datastore: "local",
      fileName: "noble-url.qcow2",
      url: "http://x/noble.img",
      checksum: undefined,
    };
    expect(await download(racingNode(), file, { report: () => undefined, pauseMs: 1 })).toBe("cached");
  });
});
