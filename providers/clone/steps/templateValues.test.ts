import { expect, it } from "vitest";
import { fakeClone, fakeState } from "../fakeClone.ts";
import type { CloneInputs } from "../inputs.ts";
import { withTemplateValues } from "./templateValues.ts";

/** A PVE with a template, and what it is asked. */
function pve(template: Record<string, unknown> = {}) {
  const asked: string[] = [];
  const readConfig = async (node: string, vmId: number) => {
    asked.push(`${node} ${vmId}`);
    return { cores: 2, memory: "2048", net0: "virtio=BC:24:11:00:00:00,bridge=vmbr0,tag=7", ...template };
  };
  return { api: { readConfig }, asked };
}

/** A clone that exists, with this config of its own. */
const having = (inputs: Partial<CloneInputs>, node = "pve1") => fakeState({ spec: fakeClone(inputs), node });

const own = { cores: 8, memoryMiB: 4096, balloonMiB: 1024, nics: [{ bridge: "vmbr1", vlan: 20 }] };

it("a clone that has lost its own hardware gets the template's", async () => {
  const { api, asked } = pve();
  const back = { cores: 2, memoryMiB: 2048, balloonMiB: 2048, nics: [{ bridge: "vmbr0", vlan: 7 }] };
  expect(await withTemplateValues(api, having(own), fakeClone())).toEqual(fakeClone(back));
  expect(asked).toEqual(["pve1 9000"]);
});

it("gets what PVE takes for an option that the template does not have", async () => {
  const { api } = pve({ cores: undefined, memory: undefined, net0: "virtio=BC:24:11:00:00:00,bridge=vmbr0" });
  const back = { cores: 1, memoryMiB: 512, balloonMiB: 512, nics: [{ bridge: "vmbr0", vlan: 0 }] };
  expect(await withTemplateValues(api, having(own), fakeClone())).toEqual(fakeClone(back));
});

it("keeps its memory without balloon if the template has none", async () => {
  const { api } = pve({ balloon: 0 });
  const { cores, nics } = own;
  expect(await withTemplateValues(api, having(own), fakeClone({ cores, nics }))) //
    .toMatchObject({ cores: 8, memoryMiB: 2048, balloonMiB: 0 });
});

it("loses only what the config has taken back; the rest is as the config says", async () => {
  const { api } = pve();
  const news = fakeClone({ ...own, nics: [{ bridge: "vmbr2" }, { vlan: 30 }] });
  expect(await withTemplateValues(api, having(own), news)) //
    .toEqual({ ...news, nics: [{ bridge: "vmbr2", vlan: 7 }, { vlan: 30 }] });
});

it("gets the template's option, or none, for one that the config has taken back", async () => {
  const { api } = pve({ cpuunits: 50 });
  const olds = having({ options: { cpuunits: "200", hostpci0: "mapping=gpu", cpulimit: "2" } });
  const news = fakeClone({ options: { cpulimit: "4" } });
  expect((await withTemplateValues(api, olds, news)).options).toEqual({ cpuunits: "50", hostpci0: "", cpulimit: "4" });
});

it("has no notes of its own any more when the config has none", async () => {
  const { api, asked } = pve();
  expect(await withTemplateValues(api, having({ description: "old" }), fakeClone())) //
    .toEqual(fakeClone({ description: "" }));
  expect(asked).toEqual([]);
});

it("asks nothing, and changes nothing, when nothing is taken back", async () => {
  const { api, asked } = pve();
  expect(await withTemplateValues(api, having({}), fakeClone(own))).toEqual(fakeClone(own));
  expect(await withTemplateValues(api, having(own), fakeClone({ ...own, cores: 4 }))) //
    .toEqual(fakeClone({ ...own, cores: 4 }));
  expect(asked).toEqual([]);
});

it("takes the template on the clone's node, or the one that its node clones from", async () => {
  const places = [
    { node: "pve1", sourceVmId: 9000 },
    { node: "pve2", sourceVmId: 9001 },
    { node: "pve3", sourceVmId: 9000, sourceNode: "pve1" },
  ];
  const { api, asked } = pve();
  for (const node of ["pve2", "pve3", "somewhere else"]) {
    await withTemplateValues(api, having(own, node), fakeClone({ places }));
  }
  expect(asked).toEqual(["pve2 9001", "pve1 9000", "pve1 9000"]);
});
