/** Server-sent events: html.spec.whatwg.org/multipage/server-sent-events.html */

const encoder = new TextEncoder();

/** One event, its data as JSON, which has no line breaks. */
export const sseEvent = (name: string, data: object): Uint8Array =>
  encoder.encode(`event: ${name}\ndata: ${JSON.stringify(data)}\n\n`);

/** What readers ignore: it shows those in between that the stream lives. */
export const sseComment = (text: string): Uint8Array => encoder.encode(`: ${text}\n\n`);

/** Headers of a stream of events, which nothing may keep or hold back. */
export const SSE_HEADERS = {
  'Content-Type': 'text/event-stream; charset=utf-8',
  'Cache-Control': 'no-store',
  'X-Accel-Buffering': 'no',
};
