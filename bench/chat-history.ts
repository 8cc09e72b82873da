/**
 * The cost of chat history on Azurite: `npm run bench:history`. It measures reads and appends in sessions of several
 * sizes and among many sessions, and the rate of the purge. Azurite differs from Azure: compare only values of one
 * run.
 */
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startAzuriteTables } from '../dev/stack/azurite.ts';
import { ChatHistory } from '../src/lib/history/chat-history.ts';
import { purgeSessions } from '../src/lib/history/purge.ts';
import {
  FIRST_POSITION,
  interactionKey,
  type SessionKey,
  sessionPartition,
} from '../src/lib/history/session-rows.ts';
import type { RowStore } from '../src/lib/history/row-store.ts';
import { createTableRowStore } from '../src/lib/history/table-row-store.ts';
import { median } from './harness/cost.ts';
import { readBenchOptions } from './harness/options.ts';

const DAY_MS = 24 * 3_600_000;
const TTL_MS = 30 * DAY_MS;
const TURN = { question: 'What is the capital of France?', answer: 'The capital of France is Paris.' };
const SESSIONS = 10_000;
const ROUNDS = 100;

/** The help text. */
export const help = `npm run bench:history

Measures and prints the cost of chat history on Azurite: reads and appends in sessions of several sizes and among many
sessions, and the rate of the purge. Compare only values of one run.

  --help`;

/** Runs the measurements and prints the results. */
export async function main(args: string[]): Promise<void> {
  if (!readBenchOptions(args, help)) return;
  const folder = mkdtempSync(join(tmpdir(), 'ask-bench-'));
  const azurite = await startAzuriteTables(folder);
  try {
    const open = (tableName: string): Promise<RowStore> =>
      createTableRowStore({ connectionString: azurite.connectionString, tableName });
    await compareSizes(await open('sizes'));
    await compareCrowds(await open('crowds'));
  } finally {
    await azurite.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

async function compareSizes(store: RowStore): Promise<void> {
  const history = new ChatHistory(store, TTL_MS);
  for (const size of [10, 1000, 5000]) {
    const session = { userId: null, sessionId: randomUUID() };
    await insert(
      store,
      Array.from({ length: size }, () => session),
    );
    await report(`${size} interactions in the session`, history, () => session);
  }
}

async function compareCrowds(store: RowStore): Promise<void> {
  const history = new ChatHistory(store, TTL_MS);
  const sessions = Array.from({ length: SESSIONS }, () => ({ userId: null, sessionId: randomUUID() }));
  // Two of three sessions are expired.
  for (const age of [0, TTL_MS + DAY_MS, TTL_MS + DAY_MS]) await insert(store, sessions, age);
  await report(`${SESSIONS} sessions`, history, (round) => sessions[(round * 97) % SESSIONS] ?? session0);
  const startedAt = performance.now();
  const purged = await purgeSessions(store, TTL_MS, 600_000);
  const seconds = (performance.now() - startedAt) / 1000;
  console.log(
    `  purge: ${purged.removed} of ${purged.rows} rows in ${purged.partitions} sessions in ${seconds.toFixed(1)} s, ` +
      `${Math.round(purged.removed / seconds)} rows/s`,
  );
}

const session0: SessionKey = { userId: null, sessionId: 'none' };

/** Inserts one interaction, `age` milliseconds old, into each of `sessions`, in batches. */
async function insert(store: RowStore, sessions: SessionKey[], age = 0): Promise<void> {
  const now = Date.now();
  const properties = { h0: TURN.question, a0: TURN.answer };
  for (let start = 0; start < sessions.length; start += 50) {
    await Promise.all(
      sessions.slice(start, start + 50).map((session, index) => {
        // Backdates the interaction.
        const key = interactionKey({ epoch: 0, lastMs: now + start + index });
        const old = key.replace(/-\d{13}-/, `-${String(9_999_999_999_999 - (now - age - start - index))}-`);
        return store.insert(sessionPartition(session), age === 0 ? key : old, properties);
      }),
    );
  }
}

async function report(
  name: string,
  history: ChatHistory,
  sessionOf: (round: number) => SessionKey,
): Promise<void> {
  const [reads, appends]: [number[], number[]] = [[], []];
  for (let round = 0; round < ROUNDS; round++) {
    const session = sessionOf(round);
    const started = performance.now();
    const conversation = await history.read(session, 10);
    const read = performance.now();
    await history.append(session, conversation ?? FIRST_POSITION, TURN);
    reads.push(read - started);
    appends.push(performance.now() - read);
  }
  console.log(
    `  ${name}: read ${median(reads).toFixed(1)} ms, append ${median(appends).toFixed(1)} ms (medians)`,
  );
}
