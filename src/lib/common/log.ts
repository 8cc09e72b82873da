/** The invocation of a function, and its log. Of errors, names and codes only: messages of other services may contain keys. */
import { LOG_LEVELS, type LogLevel } from '../config/telemetry-config.ts';
import { type AskError, causesFrom } from '../contract/ask-error.ts';
import type { InvocationContext } from '@azure/functions';

/** One invocation of a function. */
export interface Invocation {
  id: string;
  /** `traceparent` of the host's trace (w3.org/TR/trace-context); undefined without a trace. */
  traceParent: string | undefined;
  /** `performance.now()` when the handler started. */
  startedAt: number;
  log: Pick<InvocationContext, 'info' | 'warn' | 'error'>;
}

/** Returns a log that drops entries less severe than `level`. */
export function atLevel(level: LogLevel, log: Invocation['log']): Invocation['log'] {
  const isLogged = (severity: LogLevel): boolean => LOG_LEVELS.indexOf(severity) <= LOG_LEVELS.indexOf(level);
  return {
    info: (...parts) => isLogged('info') && log.info(...parts),
    warn: (...parts) => isLogged('warn') && log.warn(...parts),
    error: (...parts) => log.error(...parts),
  };
}

/** The log for an invocation that has ended: @azure/functions warns of each later use of the invocation's own log. */
export function consoleLog(invocationId: string): Invocation['log'] {
  const prefix = `[invocation ${invocationId}]`;
  return {
    info: (...parts) => console.info(prefix, ...parts),
    warn: (...parts) => console.warn(prefix, ...parts),
    error: (...parts) => console.error(prefix, ...parts),
  };
}

/** An error whose message may be logged, because the app wrote it and it quotes no other service. */
export class LoggableError extends Error {}

/** Logs what an error says to the operator and not to the caller: its advice and the names of its causes. */
export function logError(error: AskError, log: Invocation['log']): void {
  const { code, cause, advice } = error;
  if (error.status < 500 && advice === undefined) return;
  const write = error.isSevere ? log.error : log.warn;
  if (cause instanceof LoggableError) write(code, cause.message);
  // The stack trace of a defect of the app.
  else if (code === 'internal_error') write(code, cause);
  else write(advice === undefined ? code : `${code}: ${advice}`, names(cause));
}

/** Names, statuses and codes of the causes, outermost first. */
function names(cause: unknown): string {
  const all = causesFrom(cause).map(({ name, status = '', code = '' }) =>
    [name, status, code].join(' ').trim(),
  );
  return all.length === 0 ? '' : `(${all.join(' < ')})`;
}

/** Warnings that are logged at most once a minute, so that repeated failures do not flood the log. */
const INTERVAL_MS = 60_000;

/** Counts a failure and logs it, unless one was logged in the last minute. `count` is the number of failures so far. */
export type RateLimitedWarning = (toMessage: (count: number) => string) => void;

/** Creates the warning for one kind of failure. */
export function createRateLimitedWarning(warn: (message: string) => void): RateLimitedWarning {
  let count = 0;
  let warnedAt = -Infinity;
  return (toMessage) => {
    count++;
    if (performance.now() - warnedAt < INTERVAL_MS) return;
    warnedAt = performance.now();
    warn(toMessage(count));
  };
}
