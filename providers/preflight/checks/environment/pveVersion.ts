import { type Check, fail, pass } from "../../finding.ts";

const OLDEST = { major: 8, minor: 4 };

/** PVE is new enough for what this program does. */
export const pveVersion: Check = {
  id: "pve-version",
  group: "environment",
  async run({ version }) {
    const { version: found } = await version();
    const [, major, minor] = /^(\d+)\.(\d+)/.exec(found ?? "")?.map(Number) ?? [];
    if (major === undefined || minor === undefined)
      return [fail(`found version "${found}", which cannot be read; expected Proxmox VE 8.4 or newer`)];
    if (major > OLDEST.major || (major === OLDEST.major && minor >= OLDEST.minor)) return [pass(`Proxmox VE ${found}`)];
    const almost = major === 8 && minor >= 2;
    return [
      fail(
        almost
          ? `found Proxmox VE ${found}; expected 8.4 or newer. In ${major}.${minor} a node cannot download a cloud image into content type "import", and no disk can be imported from there by API`
          : `found Proxmox VE ${found}, which is not supported; expected 8.4 or newer`,
        {
          todo: [
            almost
              ? "On each node: apt update && apt full-upgrade"
              : "See https://pve.proxmox.com/wiki/Category:Upgrade",
          ],
        },
      ),
    ];
  },
};
