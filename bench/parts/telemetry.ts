/** CPU cost of telemetry for a cached answer: the app with traces and metrics, compared with the app without. */
import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { startReceiver } from '../../dev/stack/telemetry-receiver.ts';
import type { Arena } from '../harness/contestants.ts';
import type { Cost } from '../harness/cost.ts';
import { load } from '../harness/load.ts';
import { cpuDuring } from '../harness/process-usage.ts';
import type { WorkerProcess } from '../harness/worker-process.ts';

const CONNECTIONS = 8;
const REQUESTS = 1500;
/** Spans are sent 5 s after they were written. The measurement includes the sending. */
const SENDING_MS = 6000;

/** In each round, measures the app without telemetry and with each exporter. The first round is a warm-up. */
export async function measureTelemetry(arena: Arena, rounds: number): Promise<Cost[]> {
  await arena.emulator.behave({});
  const receiver = await startReceiver(() => ({ itemsReceived: 1, itemsAccepted: 1, errors: [] }));
  const azure = `InstrumentationKey=${randomUUID()};IngestionEndpoint=${receiver.url}/`;
  // The receiver and the emulator have different certificates for localhost, and NODE_EXTRA_CA_CERTS takes one file.
  const start = (env: Record<string, string>) =>
    arena.start('app', { NODE_TLS_REJECT_UNAUTHORIZED: '0', ...env });
  const [off, ...on] = await Promise.all([
    start({}),
    start({ OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url }),
    start({ APPLICATIONINSIGHTS_CONNECTION_STRING: azure }),
  ]);
  const costs = ['OTLP', 'Azure Monitor'].map((name): Cost => ({
    name: `CPU, cached, with telemetry to ${name}`,
    baseline: 'without',
    unit: 'ms',
    target: null,
    rounds: [],
  }));
  try {
    for (let round = -1; round < rounds; round++) {
      const baseline = await cpuPerAnswer(off);
      for (const [index, host] of on.entries()) {
        const app = await cpuPerAnswer(host);
        if (receiver.received.length === 0) throw new Error('The app sent no telemetry.');
        receiver.received.length = 0;
        if (round >= 0) costs[index]?.rounds.push({ app, baseline });
      }
      await arena.emptyStorage();
    }
  } finally {
    await Promise.all([off, ...on].map((host) => host.stop()));
    await receiver.close();
  }
  return costs;
}

const cpuPerAnswer = (host: WorkerProcess): Promise<number> =>
  cpuDuring(host.process.pid ?? 0, REQUESTS, async () => {
    await load(host, CONNECTIONS, REQUESTS, () => ({ question: 'What is the capital of France?' }));
    await delay(SENDING_MS);
  });
