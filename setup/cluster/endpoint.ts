/**
 * The URL of a cluster's API from what people type: `pve1`, `pve1:8006`, `10.0.0.11`, `fd00::11`, `[fd00::11]:8006`,
 * `https://pve1.example.net:8006/`. Port 8006 unless one is given; a URL without a port means it too, for that is what the
 * address bar of PVE's web interface says after a copy from some browsers.
 *
 * @returns `https://host:port`
 * @throws SetupError `endpoint`
 */
export function normaliseEndpoint(_text: string): string {
  throw new Error("not there yet");
}
