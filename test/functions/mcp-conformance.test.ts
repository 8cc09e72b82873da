/**
 * The official conformance suite of the Model Context Protocol, github.com/modelcontextprotocol/conformance. It is fetched
 * when this test runs, because its 100 packages are needed for nothing else. 0.2.0-alpha.12 is the first release that knows
 * revision 2026-07-28 in its final form.
 */
import { globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { runNode } from '../../dev/stack/child-process.ts';
import { startApp } from '../support/app.ts';

const SUITE = '@modelcontextprotocol/conformance@0.2.0-alpha.12';

/** The checks that fail for want of a fixture of the reference server, or of a feature that this server does not offer. */
const NEEDED: Record<string, string> = {
  'tools-call-simple-text': 'the tool test_simple_text',
  'tools-call-image': 'the tool test_image_content',
  'tools-call-audio': 'the tool test_audio_content',
  'tools-call-embedded-resource': 'the tool test_embedded_resource',
  'tools-call-mixed-content': 'the tool test_multiple_content_types',
  'tools-call-error': 'the tool test_error_handling',
  'tools-call-with-progress': 'the tool test_tool_with_progress',
  'tools-call-with-logging': 'log messages to the client: the log is the operator’s',
  'tools-call-sampling': 'the tool test_sampling: the server asks nothing of the client',
  'tools-call-elicitation': 'the tool test_elicitation, as above',
  'elicitation-sep1034-general': 'the tool test_elicitation_sep1034_defaults, as above',
  'elicitation-sep1330-general': 'the tool test_elicitation_sep1330_enums, as above',
  'logging-set-level': 'log messages to the client',
  'json-schema-2020-12-tool-found':
    'the tool json_schema_2020_12_tool, whose schema uses what providers refuse',
  'completion-complete': 'the prompt test_prompt_with_arguments',
  'prompts-get-simple': 'the prompt test_simple_prompt',
  'prompts-get-with-args': 'the prompt test_prompt_with_arguments',
  'prompts-get-embedded-resource': 'the prompt test_prompt_with_embedded_resource',
  'prompts-get-with-image': 'the prompt test_prompt_with_image',
  'resources-read-text': 'the resource test://static-text',
  'resources-read-binary': 'the resource test://static-binary',
  'resources-templates-read': 'the resource template test://template/{id}/data',
  'resources-subscribe': 'subscriptions: a stream that stays open is paid for',
  'resources-unsubscribe': 'subscriptions',
  'sep-2575-server-rejects-undeclared-capability': 'the tool test_missing_capability',
  'sep-2575-missing-capability-http-400': 'the tool test_missing_capability',
  'sep-2575-http-server-no-independent-requests-on-stream': 'the tool test_streaming_elicitation',
  'sep-2575-server-no-log-without-loglevel': 'the tool test_logging_tool',
  'sep-2243-server-no-xmcp-tool': 'a tool with arguments in headers',
  'sep-2243-server-decode-base64': 'a tool with arguments in headers',
  'sep-2243-server-validate-param-match': 'a tool with arguments in headers',
  'sep-2243-server-reject-invalid-param-chars': 'a tool with arguments in headers',
  'sep-2243-server-reject-param-mismatch': 'a tool with arguments in headers',
  'sep-2322-elicitation-incomplete': 'the tool test_input_required_result_elicitation',
  'sep-2322-sampling-incomplete': 'the tool test_input_required_result_sampling',
  'sep-2322-list-roots-incomplete': 'the tool test_input_required_result_list_roots',
  'sep-2322-request-state-incomplete': 'the tool test_input_required_result_request_state',
  'sep-2322-multiple-inputs-incomplete': 'the tool test_input_required_result_multiple_inputs',
  'sep-2322-multi-round-r1': 'the tool test_input_required_result_multi_round',
  'sep-2322-non-tool-incomplete': 'the prompt test_input_required_result_prompt',
  'sep-2322-result-type-included': 'the tool test_input_required_result_elicitation',
  'sep-2322-reject-tampered-state': 'the tool test_input_required_result_tampered_state',
  'sep-2322-respect-client-capabilities': 'the tool test_input_required_result_capabilities',
};

interface Check {
  id: string;
  status: string;
  errorMessage?: string;
}

/** Runs all scenarios of a revision against the endpoint. Returns their checks. */
async function run(url: string, revision: string): Promise<Check[]> {
  const folder = mkdtempSync(join(tmpdir(), 'ask-conformance-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const suite = ['server', '--url', url, '--suite', 'all', '--spec-version', revision, '-o', folder];
  const npm = [process.env['npm_execpath'] ?? '', 'exec', '--yes', `--package=${SUITE}`, '--', 'conformance'];
  // It exits with 1 because of the checks above.
  const { stderr } = await runNode([...npm, ...suite]);
  const files = globSync('*/checks.json', { cwd: folder });
  if (files.length === 0) throw new Error(`The conformance suite did not run. ${stderr}`);
  return files.flatMap((file) => JSON.parse(readFileSync(join(folder, file), 'utf8')) as Check[]);
}

it('the conformance suite finds no other failure', { tags: ['long'], timeout: 300_000 }, async () => {
  const app = await startApp();
  onTestFinished(async () => void (await app.stop()));
  const checks = [
    ...(await run(`${app.url}/mcp`, '2025-11-25')),
    ...(await run(`${app.url}/mcp`, '2026-07-28')),
  ];
  const failures = checks.filter(({ status }) => status === 'FAILURE');
  expect(failures.filter(({ id }) => !(id in NEEDED))).toEqual([]);
  expect(Object.keys(NEEDED).filter((id) => !failures.some((failure) => failure.id === id))).toEqual([]);
  expect(checks.filter(({ status }) => status === 'SUCCESS').length).toBeGreaterThan(100);
});
