/** A fake server of the app's API. It serves the real page, and the test controls its responses and their timing. */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import type { Answer } from '../../src/lib/contract/responses.ts';

/** A question whose response the test sends. */
export interface Exchange {
  question: string;
  sessionId: string | undefined;
  key: string | undefined;
  /** The text of the events `token` so far. */
  text: string;
  response: ServerResponse;
  /** Sends an event. The first event also starts the stream. */
  send: (event: string, data: object) => void;
  /** Sends these characters unchanged. */
  sendRaw: (text: string) => void;
}

/** The running server, and the questions that it has received. */
export interface StandIn {
  url: string;
  exchanges: Exchange[];
  /** Responses of GET /sessions/{session_id}; 404 for other sessions. */
  sessions: Map<string, object>;
  /** Responses of GET /sessions, by the query of the address; without any, nobody is signed in. */
  lists: Map<string, object>;
  /** The sessions whose deletion was requested. */
  deleted: string[];
  /** The status of DELETE /sessions/{session_id}. */
  deleteStatus: number;
  /** The keys of the answers that were stopped. */
  stopped: string[];
  /** Whether App Service authentication sends each request to its sign-in page. */
  wantsSignIn: boolean;
  /** The required function key, if any. */
  key: string | undefined;
  close: () => Promise<void>;
}

/** Starts the server. It fetches the page from the app. */
export async function startStandIn(app: { url: string }): Promise<StandIn> {
  const exchanges: Exchange[] = [];
  const sessions = new Map<string, object>();
  const passOn = async (path: string, response: ServerResponse) => {
    const page = await fetch(app.url + path);
    for (const name of ['content-type', 'content-security-policy'])
      response.setHeader(name, page.headers.get(name) ?? '');
    if (standIn.lists.size > 0) response.setHeader('server-timing', 'signed-in');
    response.writeHead(page.status).end(await page.text());
  };
  const take = async (request: IncomingMessage, response: ServerResponse) => {
    const fields = JSON.parse(await text(request)) as { question: string; session_id?: string };
    const sendRaw = (raw: string) => {
      if (!response.headersSent) response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write(raw);
    };
    const send = (event: string, data: object) => {
      if ('text' in data) exchange.text += String(data.text);
      sendRaw(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
    };
    const key = request.headers['idempotency-key']?.toString();
    const { question, session_id: sessionId } = fields;
    const exchange: Exchange = { question, sessionId, key, text: '', response, send, sendRaw };
    exchanges.push(exchange);
  };
  /** The address of an answer: unknown, until it is stopped. */
  const answer = (key: string, method: string | undefined, response: ServerResponse) => {
    if (method !== 'DELETE') return fail(response, 404, 'answer_not_found', 'Unknown answer.');
    standIn.stopped.push(key);
    const came = exchanges.findLast((each) => each.key === key)?.text;
    response.writeHead(200, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ state: 'stopped', key, ...(came && { answer: came, position: key }) }));
  };
  const show = (id: string, response: ServerResponse) => {
    const session = sessions.get(id);
    response.writeHead(session ? 200 : 404, { 'content-type': 'application/json' });
    response.end(JSON.stringify(session ?? { status: 'Unknown session.', error: { code: 'not_found' } }));
  };
  const list = (query: string, response: ServerResponse) => {
    const found = standIn.lists.get(query);
    if (found) response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(found));
    else fail(response, 401, 'not_signed_in', 'Sign in to list your sessions.');
  };
  const remove = (id: string, response: ServerResponse) => {
    standIn.deleted.push(id);
    if (standIn.deleteStatus === 204) {
      sessions.delete(id);
      response.writeHead(204).end();
    } else fail(response, standIn.deleteStatus, 'history_unavailable', 'The session could not be deleted.');
  };
  const server = createServer((request, response) => {
    const { url = '/', headers } = request;
    const [, id] = /^\/sessions\/(.+)$/.exec(url) ?? [];
    if (url === '/' || url.startsWith('/assets/')) {
      // A page that is being closed may still ask, after the app was stopped.
      passOn(url, response).catch(() => response.destroy());
      return;
    }
    if (standIn.wantsSignIn)
      return void response.writeHead(302, { location: 'https://login.example/' }).end();
    if (standIn.key !== undefined && headers['x-functions-key'] !== standIn.key)
      return void response.writeHead(401).end();
    if (/^\/sessions(\?|$)/.test(url)) return list(url.slice('/sessions'.length), response);
    const [, key] = /^\/sessions\/[^/]+\/answers\/(.+)$/.exec(url) ?? [];
    if (key !== undefined) return answer(key, request.method, response);
    if (id !== undefined && request.method === 'DELETE') return remove(decodeURIComponent(id), response);
    if (id !== undefined) return show(decodeURIComponent(id), response);
    void take(request, response);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const standIn: StandIn = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    exchanges,
    sessions,
    lists: new Map(),
    deleted: [],
    deleteStatus: 204,
    stopped: [],
    wantsSignIn: false,
    key: undefined,
    async close() {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
  return standIn;
}

function fail(response: ServerResponse, status: number, code: string, message: string): void {
  response
    .writeHead(status, { 'content-type': 'application/json' })
    .end(JSON.stringify({ status: message, error: { code } }));
}

/** The `done` event of an answer. */
export const doneWith = (answer: string, sessionId: string): Answer => ({
  answer,
  chat_history: [],
  session_id: sessionId,
  status: 'success',
  finish_reason: 'stop',
  performance_metrics: {
    api_call_time: 0.2,
    total_time: 0.25,
    from_cache: false,
    connection_reused: true,
    connection_stats: {
      avg_response_time: 0.2,
      connection_reuse_count: 1,
      reuse_percentage: 50,
      total_requests: 2,
    },
    cold_start: false,
    instance_id: 'instance',
    invocation: 'invocation',
    uptime: 4000,
    cache: { result: 'miss', tier: null, hits: 0, misses: 2, hit_percentage: 0 },
    connection: null,
    timings: { history_read: 0, cache_lookup: 0, model: 0.2, history_write: 0, time_to_first_token: 0.1 },
    model: 'stand-in',
    tokens: { prompt: 0, completion: 0, cached: 0, cache_write: 0, reasoning: 0, saved: 0 },
    history_available: true,
    history_saved: true,
  },
});
