/** Tells the user what is being done. */
export interface Progress {
  /** Something worth a line of its own. */
  line(text: string): void;
  /** How far the present step is; may be called often. */
  status(text: string): void;
  /** The step is over, well or not: whatever is written next stands on a line of its own. */
  end(): void;
}

/** A still screen for longer than this makes people nervous; more lines than this fill a log. */
const plainEveryMs = 5_000;

/** Plain lines, one after the other, for logs and pipes. */
export function plainProgress(log: (line: string) => void, everyMs = plainEveryMs, now = Date.now): Progress {
  let last = now();
  const line = (text: string) => {
    last = now();
    log(text);
  };
  return {
    line,
    status: (text) => {
      if (now() - last >= everyMs) line(text);
    },
    end: () => {},
  };
}

/** On a terminal the status is one line that is written over. */
export function terminalProgress(stream: NodeJS.WriteStream): Progress {
  const clear = "\r\u001b[K";
  return {
    line: (text) => stream.write(`${clear}${text}\n`),
    status: (text) => stream.write(`${clear}${text.slice(0, (stream.columns || 80) - 1)}`),
    end: () => stream.write(clear),
  };
}

export function progressOn(stream: NodeJS.WriteStream): Progress {
  return stream.isTTY ? terminalProgress(stream) : plainProgress((line) => stream.write(`${line}\n`));
}

/** `5s`, `1m05s` */
export function duration(ms: number): string {
  const seconds = Math.round(ms / 1000);
  const minutes = Math.floor(seconds / 60);
  return minutes === 0 ? `${seconds}s` : `${minutes}m${String(seconds % 60).padStart(2, "0")}s`;
}
