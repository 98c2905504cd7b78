import pRetry from "p-retry";
import { ApiError, answerOf, ConnectionError, TaskError } from "./errors.ts";

/** PVE's words for "not now": a lock that somebody else holds, a cluster that is busy. */
const BUSY =
  /got (lock request )?timeout|can't lock file|unable to (acquire|lock)|cfs-lock|is locked|temporarily unavailable/i;

/**
 * What pvedaemon says now and then when it is busy: it could not read from the worker that it had just begun. The task may
 * run all the same.
 */
const NO_WORKER = /got no worker upid/i;

/** Statuses of a proxy that could not reach the node (595, 596 and 599 are PVE's own). */
const GATEWAY = new Set([502, 503, 504, 595, 596, 599]);

/** Answers that hold such words and will not pass: a cluster without quorum, a guest that does not shut down in time. */
const NOT_BUSY = /no quorum|powerdown failed/i;

/** Whether an answer of PVE, in whoever's error text it stands, means "not now". */
export const saysBusy = (answer: string): boolean => BUSY.test(answer) && !NOT_BUSY.test(answer);

/** Words of whoever talked to PVE for an answer that did not come. */
const NO_ANSWER = /\bEOF\b|connection (reset|refused)|broken pipe|(HTTP|status|code)\D{0,10}\b(50[234]|59[569])\b/i;

/** Whether an answer of PVE, in whoever's error text it stands, is one of a kind that passes. */
export const saysTransient = (answer: string): boolean =>
  saysBusy(answer) || NO_WORKER.test(answer) || NO_ANSWER.test(answer);

/** Whether PVE did not do it because something else is under way; it may go through in a moment. */
export function isBusy(error: unknown): boolean {
  return (error instanceof ApiError || error instanceof TaskError) && saysBusy(answerOf(error));
}

/**
 * Whether it is worth another try. Of a call that changes something it is not known whether it was carried out: the answer
 * may have got lost. `runTask` looks before it sends such a call again.
 */
export function isTransient(error: unknown): boolean {
  if (error instanceof ConnectionError) return error.code !== "tls" && error.code !== "not-pve";
  if (isBusy(error)) return true;
  return error instanceof ApiError && (GATEWAY.has(error.status) || NO_WORKER.test(error.answer));
}

export interface RetryOptions {
  /** Which errors are worth another try. */
  when: (error: unknown) => boolean;
  /** Tries after the first. Default: 3. */
  retries?: number;
  /** First pause in milliseconds; it doubles, with jitter. Default: 500. */
  pauseMs?: number;
  /** Longest pause in milliseconds. Default: none. */
  maxPauseMs?: number;
  /** Told before each further try. */
  onRetry?: (error: unknown, attempt: number, attempts: number) => void;
}

/** Runs `work` again with back-off and jitter while its error is worth it; throws the last error as it is. */
export function withRetry<T>(
  work: () => Promise<T>,
  { when, retries = 3, pauseMs = 500, maxPauseMs = Number.POSITIVE_INFINITY, onRetry }: RetryOptions,
): Promise<T> {
  return pRetry(work, {
    retries,
    minTimeout: pauseMs,
    maxTimeout: maxPauseMs,
    factor: 2,
    randomize: true,
    shouldRetry: ({ error }) => when(error),
    onFailedAttempt: ({ error, attemptNumber, retriesLeft }) => {
      if (retriesLeft > 0 && when(error)) onRetry?.(error, attemptNumber, retries + 1);
    },
  });
}
