/** ask.http: each call, sent to a running app in the order of the file, has the result that the file says. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { root } from '../../dev/stack/root.ts';
import { useApp } from '../support/fixture.ts';

interface Call {
  title: string;
  method: string;
  path: string;
  headers: Record<string, string>;
  body: string | undefined;
  /** The status or the header of the response, such as `504` or `X-Cache: HIT`. */
  expected: string | undefined;
}

const [preamble = '', ...parts] = readFileSync(join(root, 'ask.http'), 'utf8').split(/^### /m);
const calls = parts.map(parse);

function parse(part: string): Call {
  const [head = '', body] = part.trim().split(/\n\n([^]*)/);
  const [title = '', ...lines] = head.split('\n');
  const [request = '', ...headers] = lines.filter((line) => !line.startsWith('#'));
  const [, method = '', path = ''] = /^([A-Z]+) \{\{host\}\}(\/\S*)$/.exec(request) ?? [];
  const expected = lines.map((line) => /^# expect (.*)$/.exec(line)?.[1]).find(Boolean);
  const pairs = headers.map((line) => /^([\w-]+): (.*)$/.exec(line)?.slice(1) ?? [line, '']);
  return {
    title,
    method,
    path,
    headers: Object.fromEntries(pairs) as Record<string, string>,
    body,
    expected,
  };
}

// An app of its own: the calls follow each other, and a shared app forgets between tests.
const app = useApp(() => ({ enableAuth: true }));

describe('ask.http', () => {
  it('defines the two variables of its calls', () => {
    expect(preamble).toMatch(/^@host=http:\/\/localhost:3001$/m);
    expect(preamble).toMatch(/^@key=\S+$/m);
    expect(calls.length).toBeGreaterThan(12);
  });

  it.each(calls)('$method $path: $title', async ({ method, path, headers, body, expected }) => {
    const key = /^.(cache|users)\b/.test(path) ? app.host.masterKey : app.host.functionKey;
    const sent = Object.entries(headers).map(
      ([name, value]) => [name, value.replace('{{key}}', key)] as const,
    );
    const response = await fetch(app.url + path, {
      method,
      headers: Object.fromEntries(sent),
      ...(body !== undefined && { body }),
    });
    const text = await response.text();
    const [, name = '', value] = /^(\S+): (.*)$/.exec(expected ?? '') ?? [];
    if (value !== undefined) expect([name, response.headers.get(name)]).toEqual([name, value]);
    const wantedStatus = value === undefined && expected !== undefined ? Number(expected) : undefined;
    expect([response.status, text]).toEqual([
      wantedStatus ?? expect.toSatisfy((status: number) => status >= 200 && status < 300),
      text,
    ]);
    expect(text).not.toContain('event: error');
  });
});
