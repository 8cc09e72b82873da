/** Server-sent events: html.spec.whatwg.org/multipage/server-sent-events.html */

const encoder = new TextEncoder();

/** Encodes an event. Its data is JSON without line breaks, so it needs only one line. */
export const sseEvent = (name: string, data: object): Uint8Array =>
  encoder.encode(`event: ${name}\ndata: ${JSON.stringify(data)}\n\n`);

/** Encodes a comment. Clients ignore it; it keeps proxies from closing the connection as idle. */
export const sseComment = (text: string): Uint8Array => encoder.encode(`: ${text}\n\n`);

/** Headers of an event stream: no cache may store it, and no proxy may buffer it. */
export const SSE_HEADERS = {
  'Content-Type': 'text/event-stream; charset=utf-8',
  'Cache-Control': 'no-store',
  'X-Accel-Buffering': 'no',
};
