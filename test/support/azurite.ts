/**
 * The Azurite of a test worker. It is started before the first test file and used by all of them, one after the other, since
 * Vitest keeps the global object (`isolate: false`). One for all workers answered later than the app waits for its storage:
 * it has one thread, and each query reads all rows of a table. Its data is in memory, because it would write all of it to the
 * disk every five seconds.
 */
import { type Azurite, startAzuriteTables } from '../../dev/stack/azurite.ts';

const holder = globalThis as typeof globalThis & { azurite?: Promise<Azurite> };

/** The connection string. It ends with the worker. */
export const { connectionString: storage } = await (holder.azurite ??= startAzuriteTables());
