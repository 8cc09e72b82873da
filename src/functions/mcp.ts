import { httpFunction, loadServices } from '../lib/app/function-app.ts';
import { readAuthLevel } from '../lib/config/config.ts';
import type { McpEndpoint } from '../lib/mcp/mcp-handler.ts';

let endpoint: Promise<McpEndpoint> | undefined;

httpFunction(
  'mcp',
  { route: 'mcp', authLevel: readAuthLevel(), methods: ['POST'] },
  async (request, invocation) => {
    endpoint ??= loadEndpoint();
    const answer = await endpoint;
    return answer(request, invocation);
  },
);

async function loadEndpoint(): Promise<McpEndpoint> {
  const [services, { createMcpEndpoint }] = await Promise.all([
    loadServices(),
    import('../lib/mcp/mcp-handler.ts'),
  ]);
  return createMcpEndpoint(services);
}
