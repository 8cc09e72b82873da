/** How much is logged. */

/** From what matters most to what matters least. */
export const LOG_LEVELS = ['error', 'warn', 'info'] as const;

/** How much is logged. */
export type LogLevel = (typeof LOG_LEVELS)[number];
