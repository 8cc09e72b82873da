/** Parses server-sent events from a fetch, because EventSource cannot POST. */

import { brokenOff } from './failure.ts';

/** The server sends at least a comment each 15 s. */
const MAX_SILENT_MS = 60_000;

/** One event: its name and its data. */
export interface ServerEvent {
  event: string;
  data: string;
}

/** Yields the events of a stream, without comments and without an incomplete last event. */
export async function* readEvents(
  stream: ReadableStream<Uint8Array<ArrayBuffer>>,
): AsyncGenerator<ServerEvent, void, void> {
  const reader = stream.pipeThrough(new TextDecoderStream()).getReader();
  let rest = '';
  let event = 'message';
  let data: string[] = [];
  try {
    for (;;) {
      const { done, value } = await unlessSilent(reader.read());
      if (done) return;
      const lines = (rest + value).split(/\r\n|\n|\r(?!$)/);
      rest = lines.pop() ?? '';
      for (const line of lines) {
        if (line === '') {
          if (data.length > 0) yield { event, data: data.join('\n') };
          event = 'message';
          data = [];
        }
        const [, field, text = ''] = /^([^:]+)(?:: ?(.*))?$/s.exec(line) ?? [];
        if (field === 'event') event = text;
        if (field === 'data') data.push(text);
      }
    }
  } finally {
    await reader.cancel().catch(() => {});
  }
}

/**
 * Waits for something that the server sends. A network that has gone does not always say so.
 * @throws AskFailure when the connection has been silent for too long.
 */
export async function unlessSilent<Sent>(next: Promise<Sent>): Promise<Sent> {
  const { promise, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(brokenOff()), MAX_SILENT_MS);
  try {
    return await Promise.race([next, promise]);
  } finally {
    clearTimeout(timer);
  }
}
