/**
 * DELETE /users/me and GET /users/me/export for users themselves; /users/{name} for operators: everything that is kept of a
 * user is deleted, or sent as JSON lines.
 */
import type { Invocation } from '../common/log.ts';
import type { PendingWork } from '../common/pending-work.ts';
import type { Config } from '../config/config.ts';
import { errorBody, errors, toAskError } from '../contract/errors.ts';
import type { CachedAnswersOfUser, UserErasure } from '../contract/user-data.ts';
import type { Erasures, UserData, UserRecord } from '../users/erasure.ts';
import { json, type Reply } from './response.ts';
import type { Caller, RawRequest } from './raw-request.ts';
import { logged } from './session-access.ts';
import { readUserName } from './session-path.ts';
import { CALLER } from './signed-in-user.ts';
import { readUserId } from './user.ts';

/** What the routes of users need. */
export interface UserServices {
  erasures: Erasures;
  /** All that is kept of users. */
  userData: readonly UserData[];
  config: Pick<Config, 'users' | 'cache'>;
  /** Requests in progress. */
  requests: PendingWork;
  /** Aborts when the process stops and open requests have to end; the reason is the error for the caller. */
  stopSignal: AbortSignal;
}

/** How long a request waits for the end of an erasure. Most take less than a second. */
const WAIT_MS = 30_000;
const RETRY_AFTER_S = '5';

type FindUser = (request: RawRequest, config: UserServices['config']) => string;

/** @throws AskError when the request has no user. */
const ownUser: FindUser = (request, { users }) => {
  const userId = readUserId(request, users);
  if (userId === null) throw errors.userNotKnown();
  return userId;
};

/** The user in the address: a caller, or with a provider a user who signs in. */
const namedUser: FindUser = (request) =>
  JSON.stringify([request.query.get('provider') || CALLER, readUserName(request)]);

const erase =
  (find: FindUser) =>
  async ({ erasures, config }: UserServices, request: RawRequest, { log }: Invocation): Promise<Reply> => {
    const erasing = erasures.erase(find(request, config), WAIT_MS).catch((cause: unknown) => {
      throw errors.erasureIncomplete(cause);
    });
    const { state, startedAt } = await logged(erasing, log);
    const cached = cachedAnswersOf(config);
    const body: UserErasure = {
      status:
        state === 'erased' ? ERASED[cached] : 'The deletion goes on. Send the request again for its end.',
      state,
      started_at: new Date(startedAt).toISOString(),
      cached_answers: cached,
    };
    return state === 'erased' ? json(200, body) : json(202, body, { 'Retry-After': RETRY_AFTER_S });
  };

const ERASED: Record<CachedAnswersOfUser, string> = {
  deleted:
    'Everything that was kept of the user is deleted. Files of other instances may have cached answers until these expire; nobody finds them any more.',
  shared:
    'Everything that was kept of the user is deleted, but cached answers: users share them, and they expire. The operator can delete them with DELETE /cache.',
  off: 'Everything that was kept of the user is deleted.',
};

function cachedAnswersOf({ cache: { ttlMs, partition } }: UserServices['config']): CachedAnswersOfUser {
  if (ttlMs === 0) return 'off';
  return partition === 'user' ? 'deleted' : 'shared';
}

const exportData =
  (find: FindUser) =>
  async (services: UserServices, request: RawRequest, { id, log }: Invocation): Promise<Reply> => {
    const userId = find(request, services.config);
    const records = recordsOf(services.userData, userId);
    // When storage fails now, the response can still say so by its status.
    const reading = records.next().catch((cause: unknown) => {
      throw errors.storageUnavailable(cause);
    });
    const first = await logged(reading, log);
    return {
      status: 200,
      headers: {
        'Content-Type': 'application/x-ndjson',
        'Content-Disposition': 'attachment; filename="export.jsonl"',
        'Cache-Control': 'no-store',
        'X-Request-Id': id,
      },
      body: toLines(services, request.caller, records, first),
    };
  };

async function* recordsOf(userData: readonly UserData[], userId: string) {
  for (const part of userData) yield* part.export(userId);
}

/** Gives each record as a line, as fast as the caller reads; the last line tells whether the export is complete. */
async function* toLines(
  { requests, stopSignal }: UserServices,
  caller: Caller,
  records: AsyncGenerator<UserRecord, void, void>,
  first: IteratorResult<UserRecord, void>,
): AsyncGenerator<Uint8Array, void, void> {
  const ended = Promise.withResolvers<void>();
  void requests.add(ended.promise);
  let count = 0;
  try {
    for (let { value: record } = first; record; { value: record } = await records.next()) {
      yield toLine(record);
      count++;
      await caller.ready(stopSignal);
      if (caller.disconnected.aborted) return;
      stopSignal.throwIfAborted();
    }
    yield toLine({ type: 'end', records: count });
  } catch (thrown) {
    const error = stopSignal.aborted ? toAskError(thrown) : errors.storageUnavailable(thrown);
    yield toLine({ type: 'error', ...errorBody(error) });
  } finally {
    ended.resolve();
  }
}

const encoder = new TextEncoder();
const toLine = (record: UserRecord): Uint8Array => encoder.encode(`${JSON.stringify(record)}\n`);

/** The handlers by operation. @throws AskError when the user is not known, or storage fails. */
export const usersHandlers = {
  eraseMe: erase(ownUser),
  exportMe: exportData(ownUser),
  eraseUser: erase(namedUser),
  exportUser: exportData(namedUser),
};
