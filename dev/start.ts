/** `npm start`: runs the whole app locally, without Azure. */
import { once } from 'node:events';
import { relative } from 'node:path';
import { ConfigError } from '../src/lib/config/config.ts';
import { type LocalStack, startLocalStack } from './stack/local-stack.ts';
import { help, readOptions, type StartOptions, UsageError } from './stack/start-options.ts';

export { help };

/** Starts the stack, prints its addresses, and stops it on Ctrl-C, on SIGTERM, or when the host ends. */
export async function main(args: string[]): Promise<void> {
  await runStack(args, async ({ host }) => {
    await once(host.process, 'exit');
  });
}

/**
 * Runs the stack until `work` ends, which is a failure, or until a signal or a message from the parent process stops it.
 * Sets the exit code: 0 when stopped, 1 after a failure, 2 for invalid options.
 */
export async function runStack(args: string[], work: (stack: LocalStack) => Promise<void>): Promise<void> {
  try {
    const options = readOptions(args);
    const stopped = ['SIGINT', 'SIGTERM', 'message'].map((event) => once(process, event));
    const stack = await startLocalStack(options);
    printBanner(stack, options);
    try {
      const events = stopped.map((event) => event.then(() => 0));
      process.exitCode = await Promise.race([...events, work(stack).then(() => 1)]);
    } finally {
      await stack.stop();
    }
  } catch (error) {
    console.error(explain(error));
    process.exitCode = error instanceof UsageError ? 2 : 1;
  }
}

function printBanner({ endpoint, localModel, azurite, host }: LocalStack, options: StartOptions): void {
  const key = options.enableAuth ? [`x-functions-key: ${host.functionKey}`] : [];
  console.log(`
Azure Functions Ask

  Page      ${host.url}/
  Ask       ${host.url}/ask
  MCP       ${host.url}/mcp (for agents: docs/mcp.md)
  Host      local functions host, Node ${process.versions.node}${options.enableAuth ? '' : ', no keys required'}
  Model     ${localModel?.description ?? endpoint}
  Sessions  ${azurite ? `Azurite at ${azurite.url}` : 'the storage in the settings'}
  Data      ${relative(process.cwd(), options.dataFolder) || options.dataFolder}
${options.enableAuth ? `  Keys      function ${host.functionKey}, admin ${host.masterKey}\n` : ''}
Try it:

  ${curlLine(`${host.url}/ask`, key)}

Stop with Ctrl-C.
`);
}

function curlLine(url: string, headers: string[]): string {
  const options = ['Content-Type: application/json', ...headers].map((header) => `-H ${quote(header)}`);
  return `curl -s ${url} ${options.join(' ')} -d ${quote('{"question": "What is the capital of France?"}')}`;
}

/** Quotes an argument for the system's shell: cmd does not support single quotes. */
const quote = (text: string): string =>
  process.platform === 'win32' ? `"${text.replaceAll('"', '\\"')}"` : `'${text}'`;

function explain(error: unknown): string {
  if (error instanceof ConfigError) return ['The settings are invalid:', ...error.problems].join('\n- ');
  return error instanceof Error ? error.message : String(error);
}
