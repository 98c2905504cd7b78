import type { CloneConfig } from "../../config/cloneSet.ts";

/** PVE's `ipconfig0`, for example `ip=10.0.0.21/24,gw=10.0.0.1,ip6=auto`. */
export function ipConfig({ ip, gateway, ip6, gateway6 }: Pick<CloneConfig, "ip" | "gateway" | "ip6" | "gateway6">) {
  const parts = { ip, gw: gateway, ip6, gw6: gateway6 };
  return Object.entries(parts)
    .flatMap(([key, value]) => (value === undefined ? [] : [`${key}=${value}`]))
    .join(",");
}
