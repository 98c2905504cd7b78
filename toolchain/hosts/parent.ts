/** How long a host may outlive an engine that was killed. */
const checkEveryMs = 1_000;

/**
 * Ends this process soon after its parent, the engine, is gone. The engine ends its hosts itself, but not if it is
 * killed; a host that nobody owns would go on for ever.
 */
export function dieWithParent(beforeExit: () => void = () => {}): void {
  const parent = process.ppid;
  const timer = setInterval(() => {
    if (process.ppid === parent) return;
    beforeExit();
    process.exit(1);
  }, checkEveryMs);
  timer.unref();
}
