/** Settings for local runs: environment variables take precedence over local.settings.json. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Environment } from '../../src/lib/config/config.ts';
import { root } from './root.ts';
import type { Emulator } from '../azure-openai-emulator/emulator.ts';

/** What local.settings.json may have: learn.microsoft.com/azure/azure-functions/functions-develop-local */
interface LocalSettingsFile {
  Values?: Environment;
  Host?: { LocalHttpPort?: number | string };
}

/** Reads the settings. Empty settings are left out. */
export function readLocalSettings(env: Environment = process.env): Record<string, string> {
  const settings: Record<string, string> = {};
  for (const [name, value] of Object.entries({ ...readFile(root).Values, ...nonEmpty(env) }))
    if (value) settings[name] = value;
  return settings;
}

/** The port of the local app without an option: `PORT`, or that of local.settings.json as for `func start`, or 3001. */
export const localPort = (folder = root): string =>
  process.env['PORT'] || String(readFile(folder).Host?.LocalHttpPort ?? 3001);

/** The settings with which an app uses the emulator as its model. */
export function emulatorSettings(
  emulator: Pick<Emulator, 'url' | 'apiKey' | 'certificatePath'>,
): Record<string, string> {
  return {
    AZURE_OPENAI_ENDPOINT: emulator.url,
    AZURE_OPENAI_API_KEY: emulator.apiKey,
    AZURE_OPENAI_CHAT_DEPLOYMENT_NAME: 'gpt-4o',
    NODE_EXTRA_CA_CERTS: emulator.certificatePath,
  };
}

function readFile(folder: string): LocalSettingsFile {
  const file = join(folder, 'local.settings.json');
  if (!existsSync(file)) return {};
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as LocalSettingsFile;
  } catch (error) {
    throw new Error(`${file} is not valid JSON: ${String(error)}`, { cause: error });
  }
}

const nonEmpty = (env: Environment): Environment =>
  Object.fromEntries(Object.entries(env).filter(([, value]) => value?.trim()));
