// Says it in one line if this Node is too old to run the program. Old ones load this file, so it uses nothing new.

// TypeScript without a flag came with 22.18, and undici asks for 22.19. package.json says the same.
const [major, minor] = process.versions.node.split(".").map(Number);
if (major < 22 || major === 23 || (major === 22 && minor < 19)) {
  console.error(
    `Node ${process.versions.node} (${process.execPath}) does not run this program: it needs 22.19 or newer, or 24. ` +
      'After `npm ci` there is one in node_modules: export PATH="$PWD/node_modules/.bin:$PATH"',
  );
  // The SDK's code for "the user has been told": Pulumi adds nothing.
  process.exit(32);
}
