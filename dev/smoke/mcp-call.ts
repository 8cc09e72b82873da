/** Calls a tool over the Model Context Protocol, by its newest revision. */
import { createParser } from 'eventsource-parser';
import * as z from 'zod/mini';
import { parsed, send, type Target } from './client.ts';

/** The revision of the request. */
export const MCP_REVISION = '2026-07-28';

const response = z.object({
  result: z.object({
    isError: z.optional(z.boolean()),
    content: z.array(z.object({ text: z.string() })),
    structuredContent: z.optional(z.unknown()),
  }),
});

/** Returns the structured content of the result. @throws Error when the tool or the protocol reports an error. */
export async function callTool(target: Target, name: string, args: object): Promise<unknown> {
  const meta = {
    'io.modelcontextprotocol/protocolVersion': MCP_REVISION,
    'io.modelcontextprotocol/clientInfo': { name: 'smoke', version: '1.0.0' },
    'io.modelcontextprotocol/clientCapabilities': {},
  };
  const message = {
    jsonrpc: '2.0',
    id: 1,
    method: 'tools/call',
    params: { name, arguments: args, _meta: meta },
  };
  const answer = await send(target, '/mcp', 200, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      'mcp-protocol-version': MCP_REVISION,
      'mcp-method': message.method,
      'mcp-name': name,
    },
    body: JSON.stringify(message),
  });
  const { result } = parsed(response, await readMessage(answer), '/mcp');
  if (result.isError) throw new Error(`The tool ${name} failed: ${result.content[0]?.text}`);
  return result.structuredContent;
}

/** Returns the last message of a stream: the result comes after all notifications. */
async function readMessage(answer: Response): Promise<unknown> {
  let last = 'null';
  const parser = createParser({ onEvent: ({ data }) => (last = data) });
  parser.feed(await answer.text());
  return JSON.parse(last);
}
