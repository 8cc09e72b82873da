/** The options of `npm start`. */
import { parseArgs } from 'node:util';
import { BEHAVIOURS, type Behaviour } from '../azure-openai-emulator/behaviours.ts';

const NAME_WIDTH = 2 + Math.max(...Object.keys(BEHAVIOURS).map(({ length }) => length));

/** The help text. */
export const USAGE = `npm start -- [options]

  --port N            serve on port N instead of 3001 (or set PORT)
  --enable-auth       require function keys, as on Azure; they are printed
  --model-latency MS  delay of the emulated model (default 300)
  --model-server KIND azure (default), or compatible: a server that is not Azure's, as Ollama or vLLM
  --model-fault NAME  how the emulated model treats every question:
${Object.entries(BEHAVIOURS)
  .map(([name, { help }]) => `                        ${name.padEnd(NAME_WIDTH)}${help}`)
  .join('\n')}
  --help`;

/** The parsed options. */
export interface StartOptions {
  port: number;
  enableAuth: boolean;
  modelLatencyMs: number;
  /** Whether the model runs on an OpenAI-compatible server that is not Azure's. */
  otherServer: boolean;
  /** Behaviour of the emulated model; undefined for ordinary answers. */
  behaviour: Behaviour | undefined;
}

/** The options are invalid; the message includes the help text. */
export class UsageError extends Error {}

/** Reads the options from the command line and from `PORT`. @throws UsageError */
export function readOptions(args: string[]): StartOptions {
  try {
    const { values } = parseArgs({
      args,
      options: {
        port: { type: 'string', default: process.env['PORT'] || '3001' },
        'enable-auth': { type: 'boolean', default: false },
        'model-latency': { type: 'string', default: '300' },
        'model-server': { type: 'string', default: 'azure' },
        'model-fault': { type: 'string' },
      },
    });
    return {
      port: wholeNumber('port', values.port, 65_535),
      enableAuth: values['enable-auth'],
      otherServer: isOtherServer(values['model-server']),
      modelLatencyMs: wholeNumber('model-latency', values['model-latency'], 200_000),
      behaviour: behaviourOf(values['model-fault']),
    };
  } catch (error) {
    throw new UsageError(`${error instanceof Error ? error.message : String(error)}\n\n${USAGE}`);
  }
}

function wholeNumber(name: string, text: string, max: number): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && value <= max) return value;
  throw new Error(`The ${name} must be a whole number from 0 to ${max}, not "${text}".`);
}

function isOtherServer(kind: string): boolean {
  if (kind === 'azure' || kind === 'compatible') return kind === 'compatible';
  throw new Error(`The model server is azure or compatible, not "${kind}".`);
}

function behaviourOf(name: string | undefined): Behaviour | undefined {
  if (name === undefined) return undefined;
  const behaviour = Object.hasOwn(BEHAVIOURS, name) ? BEHAVIOURS[name] : undefined;
  if (!behaviour) throw new Error(`Unknown model fault "${name}".`);
  return behaviour;
}
