import * as pulumi from "@pulumi/pulumi";
import { CloneSet } from "./components/cloneSet.ts";
import { proxmoxProvider } from "./components/login.ts";
import { statusUrn } from "./components/statusUrn.ts";
import { summary } from "./components/summary.ts";
import { VmTemplate } from "./components/vmTemplate.ts";
import { isComplete } from "./config/load.ts";
import { loadStackConfig } from "./config/stack.ts";
import { connectionOf } from "./providers/connect.ts";
import { Preflight } from "./providers/preflight/resource.ts";
import { PveClient } from "./proxmox/client.ts";

export default async () => {
  const config = loadStackConfig();

  // Everything else waits for preflight: if it finds a problem, in the config or in the cluster, nothing is changed.
  const preflight = new Preflight("preflight", { statusUrn: statusUrn("Preflight", "preflight") });
  if (!isComplete(config)) return {};

  const { cluster, login, templates, cloneSets } = config;
  const stack = `${pulumi.getOrganization()}/${pulumi.getProject()}/${pulumi.getStack()}`;
  const fleet = { cluster, stack, fleetId: preflight.fleetId };
  const provider = proxmoxProvider(cluster, login, { dependsOn: preflight });
  const client = new PveClient(connectionOf(config));
  const options = { provider, dependsOn: preflight };

  const made = new Map(
    Object.entries(templates).map(([key, template]) => [
      key,
      new VmTemplate(key, { fleet, template, client }, options),
    ]),
  );
  const sets = Object.entries(cloneSets).flatMap(([key, set]) => {
    const [template, source] = [templates[set.template], made.get(set.template)];
    return template && source ? [{ key, set: new CloneSet(key, { fleet, set, template, source }, options) }] : [];
  });

  const templateInfos = pulumi.all(
    [...made].map(([key, { vmId, name, nodeName, isTemplate, image }]) =>
      pulumi.all([vmId, name, nodeName, isTemplate, image]).apply(([id, vmName, node, converted, { file }]) => ({
        key,
        vmId: id,
        name: vmName,
        node,
        isTemplate: converted,
        image: file,
      })),
    ),
  );
  const clones = pulumi.all(Object.fromEntries(sets.map(({ key, set }) => [key, set.clones])));
  const user = Object.values(templates).find(({ cloudInit }) => cloudInit.user)?.cloudInit.user ?? "";
  return {
    templates: pulumi.all(
      Object.fromEntries(
        [...made].map(([key, { vmId, nodeName, name, image, isTemplate }]) => [
          key,
          { vmId, nodeName, name, image, isTemplate },
        ]),
      ),
    ),
    clones,
    summary: pulumi.all([templateInfos, clones]).apply(([infos, byKey]) => summary(infos, byKey, user)),
  };
};
