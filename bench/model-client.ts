/**
 * The cost of the model client, and the correctness of its connection records: `npm run bench:model`. All values are
 * from one run with the emulator. Compare ratios, not times.
 */
import { type Emulator, startEmulator } from '../dev/azure-openai-emulator/emulator.ts';
import { startTcpProxy } from '../dev/stack/tcp-proxy.ts';
import {
  type Command,
  type ModelProcess,
  startModelProcess,
  wrongRecords,
} from '../dev/stack/model-process.ts';
import { median } from './harness/cost.ts';
import { readBenchOptions } from './harness/options.ts';

const ONE_WAY_MS = 20;
const ROUNDS = 5;

/** The help text. */
export const help = `npm run bench:model

Measures and prints the cost of the model client and the correctness of its connection records, with the emulated
model. Compare ratios, not times.

  --help`;

/** Measures both protocols and prints the results. */
export async function main(args: string[]): Promise<void> {
  if (!readBenchOptions(args, help)) return;
  for (const alpn of ['h2', 'http/1.1'] as const) {
    console.log(`\nOver ${alpn}`);
    const emulator = await startEmulator({ protocols: [alpn], latencyMs: 20 });
    await withProcess(emulator, async (model) => {
      await model.run({ name: 'burst', count: 200 });
      console.log(`  sockets for 200 concurrent questions       ${emulator.sockets.length}`);
    });
    emulator.reset();
    await withProcess(emulator, async (model) => {
      const { records } = await model.run({ name: 'many', count: 1000 });
      console.log(
        `  wrong records of 1,000 concurrent          ${wrongRecords(emulator, 'many', records).length}`,
      );
    });
    emulator.latencyMs = 0;
    await compareFirstBytes(emulator);
    await compareCpu(emulator);
    await emulator.close();
  }
}

/** Measures the first question of a process, with and without a connection opened before, at a round trip of 40 ms. */
async function compareFirstBytes(emulator: Emulator): Promise<void> {
  const url = new URL(emulator.url);
  const proxy = await startTcpProxy(Number(url.port), ONE_WAY_MS);
  url.port = String(proxy.port);
  const medians: number[] = [];
  for (const how of ['raw', 'warm'] as const) {
    const times: number[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      await withProcess(
        emulator,
        async (model) => {
          // `raw` uses another pool: it compiles the same code, but does not open a connection of the client.
          await model.run({ name: 'before', count: 1, how });
          const { records } = await model.run({ name: 'first', count: 1 });
          times.push(records[0]?.timeToFirstByteMs ?? Number.NaN);
        },
        url.href,
      );
    }
    medians.push(median(times));
  }
  const [cold = 0, warm = 0] = medians;
  console.log(`  first byte at ${2 * ONE_WAY_MS} ms round trip, connection new   ${cold.toFixed(0)} ms`);
  console.log(
    `    opened ahead                             ${warm.toFixed(0)} ms (${(warm / cold).toFixed(2)}x)`,
  );
  await proxy.close();
}

/** CPU time of each call, compared with undici's `request` in the same process. */
async function compareCpu(emulator: Emulator): Promise<void> {
  const ways = ['raw', 'complete', 'stream'] as const;
  const cpu = new Map<Command['how'], number[]>(ways.map((how) => [how, []]));
  await withProcess(emulator, async (model) => {
    for (let round = 0; round < ROUNDS + 1; round++) {
      for (const how of ways) {
        const count = 1000;
        const { cpuMs } = await model.run({ name: 'cpu', count, concurrency: 10, how });
        // The first round is a warm-up.
        if (round > 0) cpu.get(how)?.push(cpuMs / count);
      }
    }
  });
  const raw = median(cpu.get('raw') ?? []);
  for (const how of ways) {
    const time = median(cpu.get(how) ?? []);
    console.log(`  CPU per call, ${how.padEnd(28)} ${time.toFixed(3)} ms (${(time / raw).toFixed(1)}x)`);
  }
}

async function withProcess(
  emulator: Emulator,
  use: (model: ModelProcess) => Promise<void>,
  url = emulator.url,
): Promise<void> {
  const model = startModelProcess(emulator, {}, url);
  try {
    await use(model);
  } finally {
    await model.stop();
  }
}
