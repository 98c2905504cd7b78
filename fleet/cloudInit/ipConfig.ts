interface Addressing {
  ip?: string | undefined;
  gateway?: string | undefined;
  ip6?: string | undefined;
  gateway6?: string | undefined;
}

/** PVE's `ipconfig0`, for example `ip=10.0.0.21/24,gw=10.0.0.1,ip6=auto`. */
export function ipConfig({ ip, gateway, ip6, gateway6 }: Addressing): string {
  const parts = { ip, gw: gateway, ip6, gw6: gateway6 };
  return Object.entries(parts)
    .flatMap(([key, value]) => (value === undefined ? [] : [`${key}=${value}`]))
    .join(",");
}
