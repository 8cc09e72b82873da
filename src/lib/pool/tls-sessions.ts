/** Resuming TLS sessions, so that a new connection to a known endpoint costs one round trip less work. */
import type { TLSSocket } from 'node:tls';
import type { buildConnector } from 'undici';

/** Enough for the endpoints of one app; a session is a few kilobytes. */
const MAX_SESSIONS = 16;

/**
 * Makes `connect` remember its TLS sessions. It keeps them by weak references only, which the next garbage collection
 * clears; here the newest are held.
 */
export function rememberTlsSessions(connect: buildConnector.connector): buildConnector.connector {
  const sessions: Buffer[] = [];
  return (options, callback) =>
    connect(options, (...result) => {
      const socket = result[1] as TLSSocket | null;
      // With TLS 1.3 they come after the handshake.
      socket?.on('session', (session: Buffer) => {
        sessions.push(session);
        if (sessions.length > MAX_SESSIONS) sessions.shift();
      });
      callback(...result);
    });
}
