/** Tells dead connections from silent ones. */
import type { TLSSocket } from 'node:tls';

/** Checks, and PINGs, within the time after which a connection counts as dead. */
export const CHECKS = 4;

/** Nothing arrived on a connection any more, not even answers to PINGs. */
class DeadConnectionError extends Error {
  override readonly name = 'DeadConnectionError';
}

/**
 * Destroys `socket`, a connection over HTTP/2, when nothing has arrived on it for `deadAfterMs` milliseconds. undici sends a
 * PING before each check, and a living peer answers it whatever its model does (RFC 9113, section 6.7). Requests in flight
 * fail with {@link DeadConnectionError}.
 */
export function closeWhenDead(socket: TLSSocket, deadAfterMs: number): void {
  let received = socket.bytesRead;
  let silentChecks = 0;
  // After a pause of the process only one check is made up for, and then the data that has arrived is read.
  const timer = setInterval(() => {
    silentChecks = socket.bytesRead === received ? silentChecks + 1 : 0;
    received = socket.bytesRead;
    if (silentChecks >= CHECKS) socket.destroy(new DeadConnectionError('nothing arrives on the connection'));
  }, deadAfterMs / CHECKS).unref();
  socket.once('close', () => clearInterval(timer));
}
