import * as pulumi from "@pulumi/pulumi";
import { expect, it, vi } from "vitest";
import { hideAnswers } from "./debugLog.ts";

it("the debug log says that the engine has answered, not what", () => {
  const debug = vi.spyOn(pulumi.log, "debug").mockResolvedValue();
  hideAnswers();
  pulumi.log.debug("RegisterResource RPC finished: noble; err: null, resp: urn,data,\nhunter2");
  pulumi.log.debug("Registering resource: t=a, name=b");
  expect(debug.mock.calls.map(([message]) => message)).toEqual([
    "RegisterResource RPC finished: noble; err: null",
    "Registering resource: t=a, name=b",
  ]);
});
