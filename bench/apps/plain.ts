/**
 * How far one gets without LangChain, the OpenAI client, the storage SDK and Keyv: the same work for a question, written
 * out with undici and node:sqlite. It has no validation, retries, deadlines, metrics, or fault handling.
 */
import { createHash, createHmac, createSecretKey, randomUUID } from 'node:crypto';
import { DatabaseSync } from 'node:sqlite';
import type { HttpRequest, HttpResponseInit } from '@azure/functions';
import { createParser } from 'eventsource-parser';
import { Pool } from 'undici';
import { askFunction } from './ask-function.ts';
import { askModel } from './raw-model.ts';

const { env } = process;
const setting = (name: string): string => env[name] ?? '';
const storage = Object.fromEntries(
  setting('AzureWebJobsStorage')
    .split(';')
    .map((part) => [part.slice(0, part.indexOf('=')), part.slice(part.indexOf('=') + 1)]),
) as Record<'AccountName' | 'AccountKey' | 'TableEndpoint', string>;
const tables = new URL(storage.TableEndpoint);
const accountKey = createSecretKey(storage.AccountKey, 'base64');
const storagePool = new Pool(tables.origin, { connections: 64 });

const database = new DatabaseSync(setting('ANSWER_CACHE_PATH'));
database.exec(
  'PRAGMA journal_mode = WAL; CREATE TABLE IF NOT EXISTS answers (key TEXT PRIMARY KEY, value TEXT)',
);
const readAnswer = database.prepare('SELECT value FROM answers WHERE key = ?');
const writeAnswer = database.prepare('INSERT OR REPLACE INTO answers VALUES (?, ?)');

const TABLE = 'sessions';

interface Interaction {
  question: string;
  answer: string;
}

/** A request to Table Storage, signed as learn.microsoft.com/rest/api/storageservices/authorize-with-shared-key says. */
async function callTable(
  method: 'GET' | 'POST',
  path: string,
  query: string,
  body: object | null,
): Promise<string> {
  const date = new Date().toUTCString();
  const resource = `${tables.pathname}/${path}`;
  const signature = createHmac('sha256', accountKey)
    .update(`${date}\n/${storage.AccountName}${resource}`)
    .digest('base64');
  const response = await storagePool.request({
    method,
    path: resource + query,
    headers: {
      'x-ms-date': date,
      'x-ms-version': '2019-02-02',
      dataserviceversion: '3.0',
      authorization: `SharedKeyLite ${storage.AccountName}:${signature}`,
      accept: 'application/json;odata=nometadata',
      'content-type': 'application/json',
      prefer: 'return-no-content',
    },
    body: body && JSON.stringify(body),
  });
  const text = await response.body.text();
  if (response.statusCode === 404) {
    await callTable('POST', 'Tables', '', { TableName: TABLE });
    return callTable(method, path, query, body);
  }
  if (response.statusCode >= 400 && response.statusCode !== 409) throw new Error(text);
  return text;
}

async function readHistory(session: string): Promise<Interaction[]> {
  const filter = encodeURIComponent(`PartitionKey eq '${session}'`);
  const text = await callTable('GET', `${TABLE}()`, `?$filter=${filter}&$top=10`, null);
  return (JSON.parse(text) as { value: Interaction[] }).value.toReversed();
}

async function complete(messages: object[], onText: ((text: string) => void) | null): Promise<string> {
  const streaming = onText && { stream: true, stream_options: { include_usage: true } };
  const response = await askModel({ messages, ...streaming });
  if (!onText) {
    const { choices } = (await response.body.json()) as { choices: { message: { content: string } }[] };
    return choices[0]?.message.content ?? '';
  }
  let whole = '';
  const parser = createParser({
    onEvent({ data }) {
      if (data === '[DONE]') return;
      const { choices } = JSON.parse(data) as { choices: { delta: { content?: string } }[] };
      const text = choices[0]?.delta.content;
      if (!text) return;
      whole += text;
      onText(text);
    },
  });
  const decoder = new TextDecoder();
  for await (const chunk of response.body) parser.feed(decoder.decode(chunk as Buffer, { stream: true }));
  return whole;
}

async function answer(
  { question, session_id: known }: { question: string; session_id?: string },
  onText: ((text: string) => void) | null,
) {
  const session = known ?? randomUUID();
  const history = known === undefined ? [] : await readHistory(known);
  const messages = [
    ...history.flatMap((each) => [
      { role: 'user', content: each.question },
      { role: 'assistant', content: each.answer },
    ]),
    { role: 'user', content: question },
  ];
  const key = createHash('sha256').update(JSON.stringify(messages)).digest('base64url');
  const cached = readAnswer.get(key)?.['value'];
  const text = typeof cached === 'string' ? cached : await complete(messages, onText);
  if (cached === undefined) writeAnswer.run(key, text);
  const row = {
    PartitionKey: session,
    RowKey: String(1e16 - Date.now()) + randomUUID(),
    question,
    answer: text,
  };
  await callTable('POST', TABLE, '', row);
  return {
    answer: text,
    session_id: session,
    chat_history: [...history.slice(-9), { question, answer: text }],
  };
}

function stream(body: { question: string; session_id?: string }): HttpResponseInit {
  const encoder = new TextEncoder();
  const event = (name: string, data: object) =>
    encoder.encode(`event: ${name}\ndata: ${JSON.stringify(data)}\n\n`);
  const events = new ReadableStream<Uint8Array>({
    async start(controller) {
      const done = await answer(body, (text) => controller.enqueue(event('token', { text })));
      controller.enqueue(event('done', done));
      controller.close();
    },
  });
  return { headers: { 'content-type': 'text/event-stream' }, body: events };
}

askFunction(async (request: HttpRequest): Promise<HttpResponseInit> => {
  const body = (await request.json()) as { question: string; session_id?: string; stream?: boolean };
  return body.stream ? stream(body) : { jsonBody: await answer(body, null) };
});
