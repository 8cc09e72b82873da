/** The folder where the local stack keeps its data. One stack at a time uses it. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';

/** SQLite's result code for a file that another process has locked: sqlite.org/rescode.html#busy */
const SQLITE_BUSY = 5;

/**
 * Takes a data folder for the stack of this process. Two stacks in one folder would start two Azurites on the same files,
 * and each would overwrite the sessions of the other. The lock is that of an SQLite file, because the system removes it
 * with the process. Gives a function that releases the folder.
 * @throws Error when another process uses the folder; it says what to do.
 */
export function takeDataFolder(folder: string): () => void {
  mkdirSync(folder, { recursive: true });
  const lock = new DatabaseSync(join(folder, 'lock.sqlite'));
  const owner = join(folder, 'process-id');
  try {
    lock.exec('BEGIN IMMEDIATE');
  } catch (error) {
    lock.close();
    const isTaken = error instanceof Error && 'errcode' in error && error.errcode === SQLITE_BUSY;
    throw isTaken ? new Error(inUse(folder, readFileSync(owner, 'utf8')), { cause: error }) : error;
  }
  writeFileSync(owner, String(process.pid));
  return () => lock.close();
}

const inUse = (folder: string, pid: string): string =>
  `Another app (process ${pid}) uses the data in ${folder}, and two would overwrite each other's sessions.
Use that app, stop it, or give this one a folder of its own: npm start -- --data FOLDER`;
