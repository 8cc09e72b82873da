/** Logging of errors: names and codes only, because messages of other services may contain keys. */
import { LOG_LEVELS, type LogLevel } from '../config/log-level.ts';
import type { AskError } from '../contract/errors.ts';
import type { Invocation } from './invocation.ts';

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

/** Errors with a status below 500 that the operator can fix, with a setting or a larger model quota. */
const OPERATOR_ERRORS = new Set<string>(['model_rate_limited', 'output_limit_reached']);

/** Logs the details of an error that are not sent to the caller. */
export function logError(error: AskError, log: Invocation['log']): void {
  if (error.status < 500 && !OPERATOR_ERRORS.has(error.code)) return;
  if (error.cause instanceof LoggableError) {
    const write = error.code === 'model_misconfigured' ? log.error : log.warn;
    write(error.code, error.cause.message);
  } else if (error.code === 'model_misconfigured') {
    log.error(
      'model_misconfigured: check AZURE_OPENAI_ENDPOINT, AZURE_OPENAI_API_KEY and AZURE_OPENAI_CHAT_DEPLOYMENT_NAME; ' +
        'without a key, grant the identity of this app the role "Cognitive Services OpenAI User".',
      causes(error),
    );
  } else if (error.code === 'output_limit_reached') {
    log.warn('output_limit_reached: raise MODEL_MAX_OUTPUT_TOKENS, or lower MODEL_REASONING_EFFORT.');
  } else if (error.code === 'internal_error') {
    log.error('internal_error', error.cause);
  } else if (error.code === 'model_unavailable' && UNKNOWN_HOST.test(causes(error))) {
    log.warn(
      'model_unavailable: the host name cannot be resolved. Check AZURE_OPENAI_ENDPOINT and AZURE_OPENAI_FALLBACK_ENDPOINTS.',
      causes(error),
    );
  } else {
    log.warn(error.code, causes(error));
  }
}

/** Node's codes for a failed DNS lookup, permanent and temporary. */
const UNKNOWN_HOST = /\b(ENOTFOUND|EAI_AGAIN)\b/;

/** Names, statuses and codes of the causes, outermost first. */
function causes(error: Error): string {
  const names: string[] = [];
  for (let cause = error.cause; cause instanceof Error && names.length < 5; cause = cause.cause) {
    const { name, status = '', code = '' } = cause as Error & { status?: number; code?: string };
    names.push(`${name} ${status} ${code}`.trim());
  }
  return names.length === 0 ? '' : `(${names.join(' < ')})`;
}
