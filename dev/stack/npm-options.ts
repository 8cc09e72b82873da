/** Options that npm kept for itself, because the `--` before them was missing. */

/** Options of npm's own with the same names; a user's .npmrc may set them. */
const OF_NPM = new Set(['json', 'key']);

/**
 * Throws when npm kept some of the options `names` for itself: `npm start --port=3002` runs the script without arguments,
 * and with the environment variable `npm_config_port`. @throws Error with the command to use instead.
 */
export function refuseOptionsOfNpm(names: string[], env: NodeJS.ProcessEnv = process.env): void {
  const kept = names
    .filter((name) => !OF_NPM.has(name))
    .map((name) => [name, env[`npm_config_${name.replaceAll('-', '_')}`]] as const)
    .filter(([, value]) => value)
    .map(([name, value]) => (value === 'true' ? `--${name}` : `--${name}=${value}`));
  if (kept.length === 0) return;
  const script = env['npm_lifecycle_event'] ?? 'start';
  const command = script === 'start' ? 'npm start' : `npm run ${script}`;
  throw new Error(
    `"--" is missing, so npm kept ${kept.join(' and ')} for itself. Write: ${command} -- ${kept.join(' ')}`,
  );
}
