export const USAGE = `npm run fleet -- <command> [options]

  preview    what would change
  up         make the fleet what the config says
  refresh    read what is there
  destroy    delete what up has made, and nothing else
  doctor     look at config and cluster as up does first, and change nothing
  any other  command of pulumi: stack output, config set, cancel, logs, …

  --stack home            the stack; otherwise the selected one, or the only one
  --tags image,vm         only these stages: preflight, image, vm, template, clones
  --skip-tags clones      all but these stages
  --limit web,db-1        only these templates, clone sets and clones
  and every option of pulumi

The plain line of pulumi is printed first. docs/parts.md has the tags.
Exit codes are pulumi's; 2: an option of fleet itself is wrong.
`;
