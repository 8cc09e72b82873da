/** Calls to Table Storage: each has a timeout and one kind of error, and a missing table is created by the first write. */
import type { TableClient } from '@azure/data-tables';
import { isTableNotFound, type StorageSignIn, toStorageError } from './storage-error.ts';
import { inTime, type TimeLimit } from './table-client.ts';

/** Timeout of one call. The SDK has none by default, and retries for 4 to 5 s. */
export const CALL_TIMEOUT_MS = 1500;

/** An entity as the SDK gives it: its keys and etag beside its properties. */
export interface Entity extends Record<string, unknown> {
  partitionKey?: string;
  rowKey?: string;
  etag?: string;
}

/** A query in OData. */
export interface Query {
  filter: string;
  select: string[];
}

/**
 * Calls to one table. Every method throws a StorageError when Table Storage fails, and a RowConflictError when it
 * answers with one of the codes in `conflicts`.
 */
export class TableCalls {
  readonly client: TableClient;
  readonly #signIn: StorageSignIn;

  constructor(client: TableClient, signIn: StorageSignIn) {
    this.client = client;
    this.#signIn = signIn;
  }

  /** Makes a call with a timeout of `ms` milliseconds. */
  async send<T>(
    call: (limit: TimeLimit) => Promise<T>,
    conflicts: string[] = [],
    ms = CALL_TIMEOUT_MS,
  ): Promise<T> {
    try {
      return await inTime(call, ms);
    } catch (error) {
      throw toStorageError(error, this.#signIn, conflicts);
    }
  }

  /** Makes a call that writes. When the table is missing, creates it and repeats the call. */
  async write<T>(call: (limit: TimeLimit) => Promise<T>, conflicts: string[]): Promise<T> {
    try {
      return await this.send(call, conflicts);
    } catch (error) {
      if (!isTableNotFound(error)) throw error;
    }
    await this.send((limit) => this.client.createTable(limit));
    return this.send(call, conflicts);
  }

  /** Makes a call that reads. Gives undefined when the table is missing. */
  async read<T>(call: (limit: TimeLimit) => Promise<T>, ms = CALL_TIMEOUT_MS): Promise<T | undefined> {
    try {
      return await this.send(call, [], ms);
    } catch (error) {
      if (isTableNotFound(error)) return undefined;
      throw error;
    }
  }

  /**
   * Gives the entities page by page, with a timeout of `pageMs` milliseconds for each page. A page may be short, or
   * even empty, although more pages follow. A missing table has no pages.
   */
  async *pages(query: Query, maxPageSize: number, pageMs: number) {
    let continuationToken: string | undefined;
    do {
      const settings = { maxPageSize, ...(continuationToken !== undefined && { continuationToken }) };
      const readPage = (limit: TimeLimit) =>
        this.client
          .listEntities<Entity>({ queryOptions: query, ...limit })
          .byPage(settings)
          .next();
      const read = await this.read(readPage, pageMs);
      if (!read || read.done) return;
      yield read.value;
      ({ continuationToken } = read.value);
    } while (continuationToken !== undefined);
  }
}
