import { expect, test } from "vitest";
import type { PveClient } from "../proxmox/client.ts";
import { askClones, askImage } from "./askFleet.ts";
import type { Places } from "./askPlaces.ts";
import { Options } from "./options.ts";
import { Ui } from "./ui.ts";

const asking = (given: Record<string, string>): [Ui, Options] => {
  const options = new Options(given);
  return [new Ui(options, { interactive: false, out: process.stderr }), options];
};

test("a URL with a login in it is refused, and not shown", async () => {
  const refused = askImage(...asking({ "image-url": "https://user:hush@img.example/noble.img" }));
  await expect(refused).rejects.toThrow(/plain text.*--secret --path 'templates\.<key>\.image\.url'/);
  await expect(refused).rejects.not.toThrow("hush");
});

test("a range of IPv6 addresses is refused at once", async () => {
  const places = { bridge: { name: "vmbr0", cidr: "10.0.0.11/24" }, disks: { storage: "zfs", linkedClones: true } };
  const given = asking({ clones: "2", "ip-range": "fd00::21-fd00::30" });
  await expect(askClones(...given, {} as PveClient, places as Places)).rejects.toThrow("expected IPv4 addresses");
});
