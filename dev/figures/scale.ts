/** What a deployment needs for a rate of questions: the formulas of docs/scale.md. */
import { markdownTable } from '../cost/markdown.ts';

/** What was measured for one question. */
interface Measured {
  /** CPU. */
  askedSeconds: number;
  cachedSeconds: number;
  /** Memory of a question in progress. */
  megabytes: number;
}

const RATES = [10, 1000, 50_000];
/** Assumed: share of the questions that reach the model, and seconds of a call. */
const ASKED = 0.75;
const CALL_S = 3;
const TOKENS = 950;
const HEADROOM = 1.5;
const CONCURRENCY = 500;
/** A question in sessions of three reads or inserts so many times; it touches two rows of four entities of 1 KiB. */
const STORAGE_CALLS = 5 / 3;
const ENTITIES = 8;
const LIMITS = { entitiesPerAccount: 20_000, tokensPerEndpoint: 10_000_000 };

/** The table. */
export function scaleTable({ askedSeconds, cachedSeconds, megabytes }: Measured): string {
  const row = (what: string, of: (q: number) => string): string[] => [what, ...RATES.map(of)];
  return markdownTable([
    ['', ...RATES.map(whole)],
    row('In progress', (q) => short(inProgress(q))),
    row(`Instances of 2 GB, concurrency ${CONCURRENCY}`, (q) =>
      whole(Math.ceil((inProgress(q) / CONCURRENCY) * HEADROOM)),
    ),
    row('Cores in use', (q) => short(q * (ASKED * askedSeconds + (1 - ASKED) * cachedSeconds))),
    row(
      `Memory in use, at most ${megabytes.toFixed(1)} MB for each`,
      (q) => `${short((inProgress(q) * megabytes) / 1000)} GB`,
    ),
    row('Storage: calls a second', (q) => short(q * STORAGE_CALLS)),
    row('Storage: entities of 1 KiB a second; accounts', (q) => {
      const accounts = Math.ceil((q * ENTITIES * HEADROOM) / LIMITS.entitiesPerAccount);
      return `${short(q * ENTITIES)}; ${accounts}`;
    }),
    row('Redis: lookups a second, at most; model: calls a second', (q) => short(q * ASKED)),
    row('Model: tokens a minute, with headroom', (q) => short(tokens(q))),
    row('Model: endpoints of 10 million tokens a minute', (q) =>
      whole(Math.ceil(tokens(q) / LIMITS.tokensPerEndpoint)),
    ),
  ]);
}

const inProgress = (q: number): number => q * (ASKED * CALL_S + 0.03);
const tokens = (q: number): number => q * ASKED * TOKENS * 60 * HEADROOM;
const whole = (figure: number): string => figure.toLocaleString('en');
const short = (figure: number): string => figure.toLocaleString('en', { maximumSignificantDigits: 3 });
