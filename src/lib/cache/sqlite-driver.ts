/** The driver of Keyv's SQLite adapter, over node:sqlite. The adapter's own compiles each statement anew. */
import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite';
import type { SqliteDriver } from '@keyv/sqlite';

/** Compiled statements of one file. The adapter and we use about a dozen; those that delete many keys vary. */
const MAX_STATEMENTS = 32;

/** Opens files in write-ahead mode, without waiting for locks. */
export const nodeSqlite: SqliteDriver = {
  name: 'node:sqlite',
  async connect({ filename }) {
    const database = new DatabaseSync(filename, { timeout: 0 });
    database.exec('PRAGMA journal_mode = WAL');
    const statements = new Map<string, StatementSync>();
    const compile = (sql: string): StatementSync => {
      const statement = statements.get(sql) ?? database.prepare(sql);
      if (statements.size < MAX_STATEMENTS) statements.set(sql, statement);
      return statement;
    };
    return {
      query: async (sql, ...parameters) => compile(sql).all(...(parameters as SQLInputValue[])),
      close: async () => database.close(),
    };
  },
};
