import { FileLegacy } from "@muhlba91/pulumi-proxmoxve/fileLegacy.js";
import * as pulumi from "@pulumi/pulumi";
import type { SnippetFiles } from "../providers/snippets/resource.ts";
import { snippetHooks } from "./vmHooks.ts";

interface Snippet {
  node: string;
  datastore: string;
  fileName: pulumi.Output<string>;
  text: pulumi.Input<string>;
  isSecret: boolean;
  /** What sees to it when no VM names the file any more, and when it is gone. */
  files: SnippetFiles;
}

/** A snippet that the plugin uploads by SSH. */
export function snippetFile(
  name: string,
  { node, datastore, fileName, text, isSecret, files }: Snippet,
  opts: pulumi.CustomResourceOptions,
): FileLegacy {
  return new FileLegacy(
    name,
    {
      nodeName: node,
      datastoreId: datastore,
      contentType: "snippets",
      uploadMode: "sftp",
      sourceRaw: { fileName, data: isSecret ? pulumi.secret(text) : text },
    },
    {
      ...opts,
      ...(isSecret && { additionalSecretOutputs: ["sourceRaw"] }),
      // Clones may still name the file: SnippetFiles removes it when none does.
      retainOnDelete: true,
      // A file that is gone is uploaded again.
      replacementTrigger: pulumi.all([files.restored, fileName]).apply(([restored, file]) => restored?.[file] ?? 0),
      hooks: snippetHooks(name, { node, datastore }),
    },
  );
}
