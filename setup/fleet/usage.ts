export const USAGE = `npm run fleet -- <command> [options]

  preview    what would change
  up         make the cluster match the config
  refresh    read what is there
  destroy    delete what up has made, and nothing else
  doctor     preflight alone: check config and cluster, change nothing
  any other  command of pulumi: stack output, config set, cancel, logs, …

  --stack home            the stack; otherwise the selected one, or the only one
  --tags image,vm         only these stages: preflight, image, vm, template, clones
  --skip-tags clones      all but these stages
  --limit web,db-1        only these templates, clone sets and clones
  and every option of pulumi

The plain pulumi command is printed first. docs/parts.md explains the tags.
Exit codes are pulumi's; 2: an option of fleet itself is wrong.
`;
