// Imported by the app of a test: the names of Azure Managed Redis lead to this machine.
import dns from 'node:dns';

/** @param {object} owner */
function redirect(owner) {
  const lookup = Reflect.get(owner, 'lookup');
  /** @type {(host: string, ...rest: unknown[]) => unknown} */
  const redirected = (host, ...rest) =>
    Reflect.apply(lookup, owner, [host.endsWith('.redis.azure.net') ? '127.0.0.1' : host, ...rest]);
  Reflect.set(owner, 'lookup', redirected);
}
redirect(dns);
// The Redis client looks its host up before it connects.
redirect(dns.promises);
