/** The log levels. */

/** From the most to the least severe. */
export const LOG_LEVELS = ['error', 'warn', 'info'] as const;

/** The least severe level that is logged. */
export type LogLevel = (typeof LOG_LEVELS)[number];
