/** The longer answers of the emulated model: a list, a table, code, a haiku and a long text. */

export const CONNECTION_POOL = `A new connection costs time before the first byte of the request is sent.

1. **TCP** needs one round trip.
2. **TLS 1.3** needs one more, and the signatures cost CPU on both sides.
3. **Congestion control** starts with a small window, so that a long request needs further round trips.

At 40 ms per round trip that is 80 ms and more, for every question. A pool pays it once. With HTTP/2, one pooled
connection carries many requests at the same time, so that a burst opens no further connections either.

The price is small: an idle connection has to be kept alive, and a dead one has to be noticed.`;

export const HAIKU = `Asleep in the cloud,
the first request wakes the code.
The second one flies.`;

export const PROTOCOL_TABLE = `| | HTTP/1.1 | HTTP/2 |
|---|---|---|
| Requests on one connection | one at a time | up to 100 and more at a time |
| Headers | text, repeated in full | binary, compressed (HPACK) |
| Cancelling a request | closes the connection | resets one stream |
| Connections for a burst of 50 | up to 50 | 1 |

Use HTTP/2 where many requests go to one server, and HTTP/1.1 where a proxy on the way requires it.`;

export const RETRY_CODE = `Retry with a delay that doubles, and with jitter, so that clients do not retry in lockstep.

\`\`\`typescript
async function retry<T>(operation: () => Promise<T>, attempts = 3): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await operation();
    } catch (error) {
      if (attempt === attempts) throw error;
      const delayMs = 100 * 2 ** attempt * Math.random();
      await new Promise((resolve) => setTimeout(resolve, delayMs));
    }
  }
}
\`\`\`

Retry only what can succeed: a timeout or a 503, but not a 400. Respect \`Retry-After\` when the server sends it.`;

export const SERVERLESS_TEXT = `# Serverless computing

Serverless does not mean that there are no servers. It means that somebody else operates them, and that you pay for what
runs rather than for what stands ready.

## How a request is served

The platform keeps a pool of machines. When a request arrives and no instance of your code is ready, it starts one: it
takes a machine, copies your package to it, starts the runtime and loads your modules. This is the **cold start**. Later
requests find the instance *warm*: module state is still there, connections are open, and code is compiled. After some idle
minutes the platform stops the instance, and the next request starts cold again.

## What this means for state

An instance can disappear at any time, and the next request of the same user may reach another one. So state belongs in
three places:

- **In a shared store**, if it must not be lost: sessions, orders, users.
- **In the process**, if it only makes things faster: connection pools, compiled templates, caches.
- **Nowhere**, if it can be computed again.

Most errors in serverless code come from confusing the first two. A counter in a module variable counts the requests of one
instance; a cache in a module variable is a different cache on each instance.

## What makes a cold start slow

1. *The package.* Every file that is loaded must be read and compiled. A bundle of the modules that are really used loads
   several times faster than a folder with thousands of files.
2. *The work at load time.* Clients that connect, settings that are fetched, schemas that are compiled: each delays the
   first answer, and most can wait until they are needed.
3. *The first connections.* Name resolution, TCP and TLS to each service add several round trips. They can run while the
   modules load.

## When it fits

Serverless fits work that comes in bursts, that is short, and whose users accept a slower first answer now and then. It
fits less well where every request must be fast, where requests run for many minutes, or where the load is so constant that
a machine of your own is cheaper.

Measure before you decide. The cost of an idle machine is known; the cost of a cold start is known only after you have
measured it with your own package, in your own region, with your own users.`;
