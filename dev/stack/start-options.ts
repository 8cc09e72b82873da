/** The options of `npm start`. */
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { BEHAVIOURS, type Behaviour, MOODS } from '../azure-openai-emulator/behaviours.ts';
import { refuseOptionsOfNpm } from './npm-options.ts';
import { root } from './root.ts';
import { localPort } from './settings.ts';

/** The highest port of TCP. */
export const MAX_PORT = 65_535;

const INDENT = ' '.repeat(24);
const NAME_WIDTH = 2 + Math.max(...Object.keys(BEHAVIOURS).map(({ length }) => length));

const describe = (behaviours: Record<string, Behaviour>, prefix: string, width: number): string =>
  Object.entries(behaviours)
    .map(([name, { help }]) => `${(prefix + name).padEnd(width)}${help}`)
    .join('\n');

/** The help text of `npm start`. */
export const help = `npm start -- [options]

Runs the whole app on this machine: the functions, Azurite for storage, and an emulated model unless
AZURE_OPENAI_ENDPOINT is set.

  --port N            serve on port N instead of 3001 (or set PORT, or Host.LocalHttpPort of local.settings.json)
  --data FOLDER       keep sessions and cached answers in FOLDER instead of .data
  --enable-auth       require function keys, as on Azure; they are printed
  --model-latency MS  delay of the emulated model (default 300)
${describe(MOODS, '  --', 22)}
  --model-server KIND azure (default), or compatible: a server that is not Azure's, as Ollama or vLLM
  --model-fault NAME  how the emulated model treats every question:
${describe(BEHAVIOURS, INDENT, INDENT.length + NAME_WIDTH)}
  --inspect[=PORT]    open the inspector of the functions host for a debugger (default port 9229)
  --help`;

/** The parsed options. */
export interface StartOptions {
  port: number;
  /** Absolute path of the folder for sessions and cached answers. */
  dataFolder: string;
  enableAuth: boolean;
  modelLatencyMs: number;
  /** Whether the model runs on an OpenAI-compatible server that is not Azure's. */
  otherServer: boolean;
  /** Behaviour of the emulated model; undefined for ordinary answers. */
  behaviour: Behaviour | undefined;
  /** Port of the inspector; undefined for none. */
  inspect: number | undefined;
}

/** The options are invalid; the message includes the help text. */
export class UsageError extends Error {}

/** Reads the options from the command line, the environment and local.settings.json. @throws UsageError */
export function readOptions(args: string[]): StartOptions {
  try {
    refuseOptionsOfNpm(Object.keys(OPTIONS));
    const { values } = parseArgs({
      // parseArgs has no options with an optional value.
      args: args.map((arg) => (arg === '--inspect' ? `--inspect=${INSPECTOR_PORT}` : arg)),
      options: OPTIONS,
    });
    const otherServer = isOtherServer(values['model-server']);
    return {
      port: wholeNumber('port', values.port ?? localPort(), MAX_PORT),
      dataFolder: resolve(root, values.data),
      enableAuth: values['enable-auth'],
      otherServer,
      modelLatencyMs: wholeNumber('model-latency', values['model-latency'], 200_000),
      behaviour: behaviourOf(values, otherServer),
      inspect:
        values.inspect === undefined ? undefined : wholeNumber('inspector port', values.inspect, MAX_PORT),
    };
  } catch (error) {
    throw new UsageError(`${error instanceof Error ? error.message : String(error)}\n\n${help}`);
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

const INSPECTOR_PORT = 9229;
const flag = { type: 'boolean', default: false } as const;
const OPTIONS = {
  inspect: { type: 'string' },
  port: { type: 'string' },
  data: { type: 'string', default: '.data' },
  'enable-auth': flag,
  'model-latency': { type: 'string', default: '300' },
  'model-server': { type: 'string', default: 'azure' },
  'model-fault': { type: 'string' },
  slow: flag,
  limited: flag,
  failing: flag,
} as const;

type BehaviourValues = Record<keyof typeof MOODS, boolean> & { 'model-fault'?: string | undefined };

function behaviourOf(
  { 'model-fault': name, ...moods }: BehaviourValues,
  otherServer: boolean,
): Behaviour | undefined {
  const chosen = (['slow', 'limited', 'failing'] as const).filter((mood) => moods[mood]);
  if (chosen.length + (name === undefined ? 0 : 1) > 1)
    throw new Error('Choose one of --slow, --limited, --failing and --model-fault.');
  if (otherServer && (chosen[0] ?? name) !== undefined)
    throw new Error('Only the emulated Azure model can be slow, limited or failing.');
  if (chosen[0]) return MOODS[chosen[0]];
  if (name === undefined) return undefined;
  const behaviour = Object.hasOwn(BEHAVIOURS, name) ? BEHAVIOURS[name] : undefined;
  if (!behaviour) throw new Error(`Unknown model fault "${name}".`);
  return behaviour;
}
