/** What a clone's SMBIOS serial tells cloud-init. */
export interface GuestIdentity {
  /** Host name, with its domain if it has one: `web-1` or `web-1.example.net`. */
  hostname: string;
  /**
   * cloud-init's instance-id. With it a guest stays the same instance whatever changes on its cloud-init drive. Default:
   * the drive's, which PVE makes from the user-data and the network-config, so that a changed address is a new instance.
   */
  instanceId?: string | undefined;
  /**
   * Which network settings go with this serial; see `networkRevision`. cloud-init makes nothing of it. PVE does not list a
   * changed `ipconfigN` as pending, but it does so with the serial, until it starts the VM with both.
   */
  network?: string | undefined;
}

/**
 * The SMBIOS system serial that tells a guest who it is.
 *
 * cloud-init's NoCloud source reads the serial as it reads the kernel command line: `ds=nocloud;key=value;…`. Its keys
 * win over the meta-data of the cloud-init drive and are merged with it, and user-data, vendor-data and network-config
 * still come from the drive. `h` is the host name, `i` the instance-id. `dsmode=net` is what the drive alone would give;
 * without it `ds=nocloud` would run the first modules before the network is up. A value can hold neither blanks nor `;`:
 * there is no way to escape them.
 */
export function smbiosSerial(
  hostname: string,
  { instanceId, network }: Pick<GuestIdentity, "instanceId" | "network"> = {},
): string {
  const keys = { h: hostname, i: instanceId, net: network };
  const pairs = Object.entries(keys).flatMap(([key, value]) => (value === undefined ? [] : [`;${key}=${value}`]));
  return `ds=nocloud;dsmode=net${pairs.join("")}`;
}

/**
 * What a serial tells cloud-init.
 *
 * @returns undefined if it tells nothing: it is no serial for NoCloud
 */
export function parseSmbiosSerial(serial: string | undefined): Partial<GuestIdentity> | undefined {
  const line = serial?.split(/\s+/).find((word) => /^ds=nocloud(;|$)/.test(word));
  if (line === undefined) return undefined;
  const values = new Map(
    line
      .split(";")
      .slice(1)
      .flatMap((pair): [string, string][] => {
        const [, key, value] = /^([^=]+)=(.*)$/.exec(pair) ?? [];
        return key && value ? [[key, value]] : [];
      }),
  );
  const [hostname, instanceId, network] = [
    values.get("h") ?? values.get("local-hostname"),
    values.get("i") ?? values.get("instance-id"),
    values.get("net"),
  ];
  return { ...(hostname && { hostname }), ...(instanceId && { instanceId }), ...(network && { network }) };
}
