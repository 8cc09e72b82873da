/** What goes to the log when a question fails. Of what the model's side sent, only kinds and codes: texts may hold keys. */
import { LOG_LEVELS, type LogLevel } from '../config/log-level.ts';
import type { AskError } from '../contract/errors.ts';
import type { Invocation } from './invocation.ts';

/** Gives `log` without what matters less than `level`. */
export function atLevel(level: LogLevel, log: Invocation['log']): Invocation['log'] {
  const isLogged = (each: LogLevel): boolean => LOG_LEVELS.indexOf(each) <= LOG_LEVELS.indexOf(level);
  return {
    info: (...parts) => isLogged('info') && log.info(...parts),
    warn: (...parts) => isLogged('warn') && log.warn(...parts),
    error: (...parts) => log.error(...parts),
  };
}

/** The log of an invocation that is over: the library would warn of every further line. */
export function consoleLog(invocationId: string): Invocation['log'] {
  const mark = `[invocation ${invocationId}]`;
  return {
    info: (...parts) => console.info(mark, ...parts),
    warn: (...parts) => console.warn(mark, ...parts),
    error: (...parts) => console.error(mark, ...parts),
  };
}

/** An error whose message is in our own words and may stand in the log: it quotes no other service. */
export class LoggableError extends Error {}

/** Errors below 500 that a setting or the model's quota is behind. */
const CONCERNS_OPERATOR = new Set<string>(['model_rate_limited', 'output_limit_reached']);

/** Says in the log what a caller must not see. */
export function logError(error: AskError, log: Invocation['log']): void {
  if (error.status < 500 && !CONCERNS_OPERATOR.has(error.code)) return;
  if (error.code === 'model_misconfigured') {
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
      'model_unavailable: the name of its host cannot be resolved: check AZURE_OPENAI_ENDPOINT and AZURE_OPENAI_FALLBACK_ENDPOINTS.',
      causes(error),
    );
  } else {
    log.warn(error.code, error.cause instanceof LoggableError ? error.cause.message : causes(error));
  }
}

/** Node's codes for a name that is not known, or not at the moment. */
const UNKNOWN_HOST = /\b(ENOTFOUND|EAI_AGAIN)\b/;

/** Names, statuses and codes along the chain of causes. */
function causes(error: Error): string {
  const names: string[] = [];
  for (let cause = error.cause; cause instanceof Error && names.length < 5; cause = cause.cause) {
    const { name, status = '', code = '' } = cause as Error & { status?: number; code?: string };
    names.push(`${name} ${status} ${code}`.trim());
  }
  return names.length === 0 ? '' : `(${names.join(' < ')})`;
}
