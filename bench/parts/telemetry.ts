/** CPU cost of telemetry for a cached answer: the app with traces and metrics, compared with the app without. */
import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { Cost } from '../../dev/figures/cost.ts';
import { startReceiver } from '../../dev/stack/telemetry-receiver.ts';
import type { Environment } from '../harness/environment.ts';
import { load } from '../harness/load.ts';
import { cpuDuring } from '../harness/process-usage.ts';
import { byTurns, costOf, itself } from '../harness/turns.ts';
import { CONNECTIONS } from './scenarios.ts';

const REQUESTS = 1500;
/** Spans are sent 5 s after they were written. The measurement includes the sending. */
const SENDING_MS = 6000;

/** Measures the app without telemetry and with each exporter. */
export async function measureTelemetry(environment: Environment, rounds: number): Promise<Cost[]> {
  await environment.behave({});
  const receiver = environment.own(
    await startReceiver(() => ({ itemsReceived: 1, itemsAccepted: 1, errors: [] })),
    (each) => each.close(),
  );
  const azure = `InstrumentationKey=${randomUUID()};IngestionEndpoint=${receiver.url}/`;
  const measure = async (env: Record<string, string>) => {
    // The receiver and the emulator have different certificates for localhost, and NODE_EXTRA_CA_CERTS takes one file.
    const worker = await environment.start('app', { NODE_TLS_REJECT_UNAUTHORIZED: '0', ...env });
    return async (): Promise<number> => {
      await environment.emptyStorage().catch(() => {});
      receiver.received.length = 0;
      const cpu = await cpuDuring(worker.process.pid ?? 0, REQUESTS, async () => {
        await load(worker, CONNECTIONS, REQUESTS, () => ({ question: 'What is the capital of France?' }));
        await delay(SENDING_MS);
      });
      if (Object.keys(env).length > 0 && receiver.received.length === 0)
        throw new Error('The app sent no telemetry.');
      return cpu;
    };
  };
  const all = await byTurns(rounds, {
    without: await measure({}),
    OTLP: await measure({ OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url }),
    'Azure Monitor': await measure({ APPLICATIONINSIGHTS_CONNECTION_STRING: azure }),
  });
  return (['OTLP', 'Azure Monitor'] as const).map((side) =>
    costOf(all, { name: `CPU, cached, with telemetry to ${side}`, sides: [side, 'without'], of: itself }),
  );
}
