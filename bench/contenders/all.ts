import type { Contender } from "../contender.ts";
import { ansible } from "./ansible.ts";
import { pulumiFloor } from "./floor.ts";
import { openTofu } from "./opentofu.ts";
import { ours, oursAtOnce, oursOnFourNodes, oursRefreshed } from "./ours.ts";

/** In the order in which they are shown. */
export const contenders: readonly Contender[] = [
  ours,
  oursRefreshed,
  oursAtOnce,
  oursOnFourNodes,
  pulumiFloor,
  // Its own default, and what one sets to make it faster.
  openTofu("opentofu", 10),
  openTofu("opentofu-50", 50),
  ansible("ansible-serial", "serial", 5),
  ansible("ansible-free", "free", 20),
];
