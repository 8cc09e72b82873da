/** What every chat history promises; each implementation runs the whole suite. */
import { randomUUID } from 'node:crypto';
import { beforeEach, describe, expect, inject, it, vi } from 'vitest';
import {
  type ChatHistory,
  createMemoryChatHistory,
  FIRST_POSITION,
  type Interaction,
  type SessionKey,
} from '../../src/lib/chat-history.ts';
import { createTableChatHistory } from '../../src/lib/table-chat-history.ts';

const LIMIT = 10;
const turn = (name: string | number): Interaction => ({
  question: `question ${name}`,
  answer: `answer ${name}`,
});

describe.each<[string, () => Promise<ChatHistory>]>([
  ['in memory', async () => createMemoryChatHistory()],
  [
    'in Table Storage',
    () => createTableChatHistory({ connectionString: inject('storage'), tableName: 'contract' }),
  ],
])('chat history %s', (_, create) => {
  let history: ChatHistory;
  let session: SessionKey;
  beforeEach(async () => {
    history = await create();
    session = { userId: null, sessionId: randomUUID() };
  });

  const read = async () => (await history.read(session, LIMIT)).interactions;
  const append = async (...interactions: Interaction[]): Promise<void> => {
    for (const interaction of interactions) {
      await history.append(session, await history.read(session, LIMIT), interaction);
    }
  };

  it('is empty for a session that nobody used', async () => {
    expect(await history.read(session, LIMIT)).toEqual({ ...FIRST_POSITION, interactions: [] });
  });

  it('gives interactions oldest first', async () => {
    await append(turn(1), turn(2), turn(3));
    expect(await read()).toEqual([turn(1), turn(2), turn(3)]);
  });

  it('gives the newest when there are more than asked for', async () => {
    const turns = Array.from({ length: LIMIT + 3 }, (__, index) => turn(index));
    await append(...turns);
    expect(await read()).toEqual(turns.slice(3));
    expect((await history.read(session, 1)).interactions).toEqual(turns.slice(-1));
  });

  it('keeps sessions and users apart, whatever their names are', async () => {
    const others: SessionKey[] = [
      { userId: 'u', sessionId: session.sessionId },
      { userId: null, sessionId: `${session.sessionId} ` },
      { userId: null, sessionId: `["${session.sessionId}"]` },
    ];
    await append(turn(1));
    for (const other of others) expect((await history.read(other, LIMIT)).interactions).toEqual([]);
  });

  it.each(['../../etc', 'a/b#c?d\\e', 'x'.repeat(256), "o'hara", '💥\u0000\u0007', ' '])(
    'takes any text as a session id: %s',
    async (name) => {
      session = { userId: randomUUID(), sessionId: name };
      await append(turn(1));
      expect(await read()).toEqual([turn(1)]);
    },
  );

  it.each([
    ['empty', ''],
    ['with every kind of character', 'a\u0000\u001f\ud83d\ude00é\u200f\uffff"\\\r\n'],
    ['with blanks around it', '  \n text \t '],
    ['just short enough to stay plain', 'x'.repeat(4090)],
    ['long', 'äöü𝒳'.repeat(20_000)],
    ['long and hard to compress', Array.from({ length: 5000 }, () => randomUUID()).join('')],
  ])('gives text back as it was: %s', async (__, text) => {
    await append({ question: text, answer: 'short' }, { question: 'short', answer: text });
    expect(await read()).toEqual([
      { question: text, answer: 'short' },
      { question: 'short', answer: text },
    ]);
  });

  it('keeps all that is appended at the same time, and every later read agrees on the order', async () => {
    await append(turn('first'));
    const position = await history.read(session, LIMIT);
    const turns = Array.from({ length: 9 }, (__, index) => turn(index));
    await Promise.all(turns.map((interaction) => history.append(session, position, interaction)));
    const seen = await read();
    expect(seen[0]).toEqual(turn('first'));
    expect(seen.slice(1)).toHaveLength(9);
    expect(new Set(seen.map(({ question }) => question)).size).toBe(10);
    expect(await read()).toEqual(seen);
  });

  it('puts an answer after all that its question saw, even when the clock goes back', async () => {
    await append(turn(1));
    const clock = vi.spyOn(Date, 'now').mockReturnValue(Date.now() - 3_600_000);
    await append(turn(2));
    clock.mockRestore();
    expect(await read()).toEqual([turn(1), turn(2)]);
  });

  it('forgets on reset, and goes on in the new conversation', async () => {
    await append(turn(1), turn(2));
    const position = await history.reset(session);
    expect(await read()).toEqual([]);
    await history.append(session, position, turn(3));
    await append(turn(4));
    expect(await read()).toEqual([turn(3), turn(4)]);
  });

  it('hides what a late writer adds to an old conversation', async () => {
    const old = await history.read(session, LIMIT);
    const current = await history.reset(session);
    await history.append(session, old, turn('late'));
    expect(await read()).toEqual([]);
    await history.append(session, current, turn('new'));
    expect(await read()).toEqual([turn('new')]);
  });

  it('can be reset again and again, even when the clock stands still', async () => {
    const clock = vi.spyOn(Date, 'now').mockReturnValue(Date.now());
    for (const name of ['a', 'b', 'c']) {
      const position = await history.reset(session);
      await history.append(session, position, turn(name));
      expect(await read()).toEqual([turn(name)]);
    }
    clock.mockRestore();
  });

  it('shows a full conversation after a reset: the marker takes nobody`s place', async () => {
    await history.reset(session);
    const turns = Array.from({ length: LIMIT }, (__, index) => turn(index));
    await append(...turns);
    expect(await read()).toEqual(turns);
  });

  it('answers a check', async () => {
    await expect(history.check()).resolves.toBeUndefined();
  });
});
