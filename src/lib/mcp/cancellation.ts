/**
 * Cancellation by clients before revision 2026-07-28. They do not close the stream of a request, but send a notification
 * in an HTTP request of its own, with the id of the request. Ids are counted by each client, so a client is given an id
 * of its own at initialization. It stands for no state: any instance accepts any id, and so does an instance that has
 * never seen it. A notification that reaches another instance than the request has no effect.
 */
import { isCancellation, type ObservedServer } from './observed-server.ts';

/** The header of the client's id. */
export const CLIENT_ID_HEADER = 'Mcp-Session-Id';

/** The exchanges in progress on this instance, by client. */
export class ExchangesByClient {
  readonly #servers = new Map<string, Set<ObservedServer>>();

  /** Adds an exchange until it is over. */
  add(clientId: string, server: ObservedServer): void {
    const servers = this.#servers.get(clientId) ?? new Set();
    this.#servers.set(clientId, servers.add(server));
    const remove = (): void => {
      servers.delete(server);
      if (servers.size === 0) this.#servers.delete(clientId);
    };
    void server.closed.then(remove);
  }

  /** Cancels the requests of a client that `message`, or a message of this batch, names. Others have no effect. */
  cancel(clientId: string, message: unknown): void {
    for (const each of [message].flat()) {
      if (!isCancellation(each)) continue;
      for (const server of this.#servers.get(clientId) ?? []) server.cancel(each);
    }
  }
}
