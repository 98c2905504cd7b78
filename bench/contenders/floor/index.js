// As many dynamic resources as a fleet has, none of which does anything.

import { Config, dynamic } from "@pulumi/pulumi";

const provider = { create: async () => ({ id: "nothing", outs: {} }) };

class Nothing extends dynamic.Resource {}

for (let number = 1; number <= new Config().requireNumber("resources"); number++)
  new Nothing(provider, `nothing-${number}`, {});
