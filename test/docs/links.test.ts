/** The documents: every relative link leads to a file, and every anchor to a heading. */
import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, it } from 'vitest';
import { root } from '../../dev/stack/root.ts';

const documents = globSync(['*.md', 'docs/**/*.md', '.github/**/*.md'], { cwd: root });

/** Text without code, in which brackets are no links and `#` begins a comment. */
const prose = (file: string): string =>
  readFileSync(join(root, file), 'utf8')
    .replaceAll(/^(```+)[^]*?^\1$/gm, '')
    .replaceAll(/`[^`\n]*`/g, code);

/** Keeps the words of inline code, because they are part of a heading's anchor. */
const code = (text: string): string => text.replaceAll(/[`[\]()]/g, '');

/** The anchors of the headings, as GitHub makes them. */
function anchors(file: string): Set<string> {
  const headings = [...prose(file).matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) => heading);
  const found = new Set<string>();
  for (const heading of headings) {
    const anchor = heading
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
      .replaceAll(' ', '-');
    let unique = anchor;
    for (let count = 1; found.has(unique); count++) unique = `${anchor}-${count}`;
    found.add(unique);
  }
  return found;
}

function isBroken(document: string, target: string): boolean {
  const [path = '', anchor] = target.split('#');
  const file = path === '' ? document : join(dirname(document), decodeURIComponent(path));
  if (!existsSync(join(root, file))) return true;
  return anchor !== undefined && !anchors(file).has(anchor);
}

it.each(documents)('%s has no broken links', (document) => {
  const targets = [...prose(document).matchAll(/\]\(([^)\s]+)\)/g)].map(([, target = '']) => target);
  const relative = targets.filter((target) => !/^[a-z]+:/i.test(target));
  expect(relative.filter((target) => isBroken(document, target))).toEqual([]);
});

it('the index of decisions has each decision with the date of its last change', () => {
  const index = readFileSync(join(root, 'docs/decisions/README.md'), 'utf8');
  const rows = [...index.matchAll(/\]\((\S+\.md)\) \| ([\d-]+) \|/g)].map(
    ([, file, date]) => `${file} ${date}`,
  );
  const decisions = globSync('*.md', { cwd: join(root, 'docs/decisions') }).filter(
    (file) => file !== 'README.md',
  );
  const dated = decisions.map((file) => `${file} ${lastChanged(file)}`);
  expect(rows.toSorted()).toEqual(dated.toSorted());
});

/** The date in the line below the title of a decision. */
const lastChanged = (file: string): string | undefined =>
  /^# .*\n\nDecided (?:[\d-]+, last changed )?([\d-]+)\./.exec(
    readFileSync(join(root, 'docs/decisions', file), 'utf8'),
  )?.[1];

it('the index in docs/README.md has every document, and the README links to it', () => {
  const index = prose('docs/README.md');
  const pages = globSync('docs/*.md', { cwd: root }).map((file) => file.replaceAll('\\', '/'));
  const others = [...pages, 'docs/decisions/README.md'].filter((file) => file !== 'docs/README.md');
  expect(others.filter((file) => !index.includes(`](${file.replace('docs/', '')})`))).toEqual([]);
  expect(prose('README.md')).toContain('](docs/README.md)');
});
