import { expect, it } from "vitest";
import { consoleLink } from "./consoleLink.ts";

/** What PVE's web interface makes of a link's hash, by its own rules: parts by `:`, and `=` before what is no number of a word. */
function shown(link: string): { view: string | undefined; guest: string } {
  const [version, view, guest = ""] = new URL(link).hash.slice(1).split(":");
  expect(version).toBe("v1");
  expect(guest[0]).toBe("=");
  return { view: { 0: "server" }[view ?? ""], guest: decodeURIComponent(guest.slice(1)) };
}

it("shows the VM in the web interface of the endpoint", () => {
  const link = consoleLink("https://pve1.example.net:8006", 9101);
  expect(link).toBe("https://pve1.example.net:8006/#v1:0:=qemu%2F9101");
  expect(shown(link)).toEqual({ view: "server", guest: "qemu/9101" });
});

it("has one slash after the endpoint", () => {
  expect(consoleLink("https://pve1:8006/", 9101)).toBe("https://pve1:8006/#v1:0:=qemu%2F9101");
});
