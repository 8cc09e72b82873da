/** Resumption of TLS sessions, which makes a new connection to a known endpoint cheaper. */
import type { TLSSocket } from 'node:tls';
import type { buildConnector } from 'undici';

/** Enough for the endpoints of one app. A session takes a few kilobytes. */
const MAX_SESSIONS = 16;

/**
 * Wraps `connect` so that its TLS sessions stay in memory. undici's connector caches them only by weak references, which
 * the next garbage collection clears; strong references to the newest sessions prevent that.
 */
export function keepTlsSessions(connect: buildConnector.connector): buildConnector.connector {
  const sessions: Buffer[] = [];
  return (options, callback) =>
    connect(options, (...result) => {
      const socket = result[1] as TLSSocket | null;
      // With TLS 1.3 the sessions arrive after the handshake.
      socket?.on('session', (session: Buffer) => {
        sessions.push(session);
        if (sessions.length > MAX_SESSIONS) sessions.shift();
      });
      callback(...result);
    });
}
