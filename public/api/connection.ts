/** Whether the server can be reached, as requests have shown. */
import { Signal } from '../parts/signal.ts';

/** `stopping`: an instance is shutting down, and the request will be sent again. */
export type Reach = 'reached' | 'unreachable' | 'stopping';

/** What the newest request has shown. Emitted for each request, also when nothing has changed. */
export const reach = new Signal<Reach>();
