/** Settings for local runs: environment variables take precedence over local.settings.json. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Environment } from '../../src/lib/config/config.ts';
import { root } from './root.ts';
import type { Emulator } from '../azure-openai-emulator/emulator.ts';

/** Reads the settings. Empty settings are left out. */
export function readLocalSettings(env: Environment = process.env): Record<string, string> {
  const file = join(root, 'local.settings.json');
  const values = existsSync(file) ? parse(file) : {};
  const settings: Record<string, string> = {};
  for (const [name, value] of Object.entries({ ...values, ...nonEmpty(env) }))
    if (value) settings[name] = value;
  return settings;
}

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

function parse(file: string): Environment {
  try {
    return (JSON.parse(readFileSync(file, 'utf8')) as { Values?: Environment }).Values ?? {};
  } catch (error) {
    throw new Error(`${file} is not valid JSON: ${String(error)}`, { cause: error });
  }
}

const nonEmpty = (env: Environment): Environment =>
  Object.fromEntries(Object.entries(env).filter(([, value]) => value?.trim()));
