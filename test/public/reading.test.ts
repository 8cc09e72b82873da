/**
 * Reading answers in Chromium: what Markdown becomes, while it arrives and afterwards, code, math, and long texts.
 * @module-tag browser
 * @module-tag long
 */
import type { BrowserContextOptions, Page } from 'playwright-core';
import { describe, expect, it } from 'vitest';
import { eventually } from '../support/app.ts';
import { askInPage, lastTurn, openPage, overflow } from './browser.ts';
import { useStandIn } from './setup.ts';
import { doneWith, type Exchange } from './stand-in.ts';

const { browser, server } = useStandIn();

const HAS_READER =
  'performance.getEntriesByType("resource").some(({ name }) => name.includes("reader.late"))';

/** Opens the page and asks a question, which the test answers. */
async function openAndAsk(question = 'A question', options: BrowserContextOptions = {}) {
  const opened = await openPage(browser, server.url, options);
  // Until the late part is there, answers are plain text.
  await eventually(() => opened.page.evaluate<boolean>(HAS_READER));
  const before = server.exchanges.length;
  await askInPage(opened.page, question);
  await eventually(() => server.exchanges.length > before);
  const { send, response } = server.exchanges.at(-1) as Exchange;
  return {
    ...opened,
    text: lastTurn(opened.page).locator('.text'),
    stream: (text: string) => send('token', { text }),
    complete: async (answer: string) => {
      send('done', doneWith(answer, 'a-session'));
      response.end();
      await opened.page.locator('[data-state="answered"]').waitFor();
    },
  };
}

/** Opens the page, asks, and lets this be the answer. */
async function openAnswer(answer: string, options: BrowserContextOptions = {}) {
  const opened = await openAndAsk('A question', options);
  await opened.complete(answer);
  return opened;
}

describe('a complete answer', () => {
  it('has tasks that say whether they are done', async () => {
    const { page, problems } = await openAnswer('- [x] Ship it\n- [ ] Rest\n\n1. [ ] One\n\n2. Two');
    expect(await page.getByRole('checkbox', { name: 'Done', checked: true }).count()).toBe(1);
    expect(await page.getByRole('checkbox', { name: 'To do', checked: false }).count()).toBe(2);
    expect(
      await page
        .getByRole('listitem')
        .filter({ hasText: /^Ship it$/ })
        .count(),
    ).toBe(1);
    expect(problems).toEqual([]);
  });

  it('has footnotes; the keyboard goes to one and back', async () => {
    const { page, text, problems } = await openAnswer(
      'One[^a], two[^b], none[^c].\n\n[^a]: The **first**.\n[^b]: The second,\n  in two lines.',
    );
    const address = page.url();
    expect(await text.locator('p').first().innerText()).toBe('One1, two2, none[^c].');
    await page.getByRole('button', { name: 'Footnote 2', exact: true }).press('Enter');
    expect(await page.evaluate('document.activeElement.innerText')).toContain('The second,\nin two lines.');
    await page.getByRole('button', { name: 'Back to the mark of footnote 2' }).press('Enter');
    expect(await page.evaluate('document.activeElement.ariaLabel')).toBe('Footnote 2');
    expect(page.url()).toBe(address);
    expect(problems).toEqual([]);
  });

  it('leaves no level of headings out', async () => {
    const { text } = await openAnswer('### Three\n\n# One\n\n### Below\n\n#### Deeper\n\n### Again');
    const levels = await text.locator('h3, h4, h5, h6').evaluateAll((all) => all.map((each) => each.tagName));
    expect(levels).toEqual(['H3', 'H3', 'H4', 'H5', 'H4']);
  });

  it('says where a link leads whose text is another address', async () => {
    const { page, text } = await openAnswer(
      '[bank.example](https://other.example/x) and [docs](https://a.example/b)',
    );
    expect(await text.innerText()).toBe('bank.example (other.example) and docs');
    expect(await page.getByRole('link', { name: 'docs' }).getAttribute('title')).toBe('https://a.example/b');
    expect(await page.getByRole('link', { name: 'docs' }).getAttribute('rel')).toBe(
      'noopener noreferrer nofollow',
    );
  });

  it('shows a picture as a link, and requests nothing', async () => {
    const requests: string[] = [];
    const { page, complete } = await openAndAsk();
    page.on('request', (request) => requests.push(request.url()));
    await complete('![A chart](https://pictures.example/chart.png)');
    await page.getByRole('link', { name: 'A chart' }).waitFor();
    expect(requests).toEqual([]);
  });

  it('gives each block the direction of its text', async () => {
    const { page } = await openAnswer('English first.\n\n\u0645\u0631\u062D\u0628\u0627 abc\n\n`x = 1`');
    const edges = await page.evaluate(`[...document.querySelectorAll('.text p')].map((each) => {
      const range = document.createRange();
      range.selectNodeContents(each);
      const [box, content] = [each, range].map((one) => one.getBoundingClientRect());
      return content.left - box.left < box.right - content.right ? 'left' : 'right';
    })`);
    expect(edges).toEqual(['left', 'right', 'left']);
  });

  it('shows marks of direction in code, and copies the code as it came', async () => {
    const code = 'if (a\u202E) {}';
    const { page, text, problems } = await openAnswer(`\`\`\`js\n${code}\n\`\`\``, {
      permissions: ['clipboard-read', 'clipboard-write'],
    });
    await text.locator('.direction', { hasText: 'U+202E' }).waitFor();
    await page.getByRole('button', { name: 'Copy', exact: true }).click();
    await page.getByRole('button', { name: 'Copied' }).waitFor();
    expect(await page.evaluate('navigator.clipboard.readText()')).toBe(code);
    expect(problems).toEqual([]);
  });

  it.each(['light', 'dark'] as const)('has code in readable colours in %s', async (colorScheme) => {
    const { text, problems } = await openAnswer(
      '```ts\nconst a: number = 1; // one\n```\n\n```unknown\nconst\n```',
      {
        colorScheme,
      },
    );
    await text.locator('.c-keyword', { hasText: 'const' }).waitFor();
    expect(await text.locator('code').first().innerText()).toBe('const a: number = 1; // one');
    expect(await text.locator('code').last().locator('span').count()).toBe(0);
    expect(problems).toEqual([]);
  });

  it('leaves code of more than 100 KB without colours', async () => {
    const { page, text } = await openAnswer(
      `\`\`\`js\n${'const a = 1;\n'.repeat(8000)}\`\`\`\n\n\`\`\`js\nconst b\n\`\`\``,
    );
    await text.locator('.c-keyword').waitFor();
    expect(await text.locator('.c-keyword').count()).toBe(1);
    expect(await page.locator('pre').first().innerText()).toHaveLength(8000 * 13 - 1);
  });
});

describe('math', () => {
  it('is set, and Markdown in it is not read', async () => {
    const { page, text, problems } = await openAnswer(
      'The sum \\(a_1 * b_1 * c\\) and $x_2$ with\n\n$$\n\\frac{1}{2}\n= y\n$$\n\n\\[\n\\sqrt{z}\n\\]',
    );
    await text.locator('math').nth(3).waitFor();
    expect(await text.locator('math').count()).toBe(4);
    expect(await text.locator('em, h3, annotation').count()).toBe(0);
    expect(await page.getByRole('group', { name: 'Formula' }).count()).toBe(2);
    expect(await text.locator('mfrac, msqrt').count()).toBe(2);
    expect(problems).toEqual([]);
  });

  it('stays as its source when it is not valid', async () => {
    const { text, problems } = await openAnswer('Here: \\(\\frac{1\\) and $y$');
    await text.locator('math').waitFor();
    expect(await text.locator('.math code').innerText()).toBe('\\frac{1');
    expect(problems).toEqual([]);
  });

  it('is not seen in amounts, names and code', async () => {
    const prose = 'It costs $5 and $10, US$3 or $HOME and $PATH, `$a$`.';
    const { text } = await openAnswer(prose);
    expect(await text.innerText()).toBe(prose.replaceAll('`', ''));
    expect(await text.locator('.math').count()).toBe(0);
  });
});

describe('an answer that arrives', () => {
  it('keeps the elements of finished blocks, and ends as if it had come at once', async () => {
    const answer =
      '# Title\n\nA [link][1] and a note[^1].\n\n1. one\n\n2. two\n   - deep\n\n| a | b |\n|---|--:|\n| 1 | 2 |\n\n' +
      '> quoted\n> more\n\n```js\nlet a;\n\nlet b;\n```\n\n- x\n\n- y\n\n[1]: https://e.example\n\n[^1]: The note.';
    const { page, text, stream, complete, problems } = await openAndAsk();
    let at = 0;
    for (; at < 40; at++) stream(answer[at] ?? '');
    await text.locator('h3').waitFor();
    await page.evaluate('window.heading = document.querySelector(".text h3")');
    for (; at < answer.length; at++) stream(answer[at] ?? '');
    await text.locator('li', { hasText: 'y' }).waitFor();
    await complete(answer);
    expect(await page.evaluate('window.heading === document.querySelector(".text h3")')).toBe(true);
    const whole = await openAnswer(answer);
    await text.locator('.c-keyword').nth(1).waitFor();
    await whole.text.locator('.c-keyword').nth(1).waitFor();
    expect(await text.innerHTML()).toBe(await whole.text.innerHTML());
    expect(problems).toEqual([]);
  });

  it.each([320, 1280])('has tables that do not jump, at %i px', async (width) => {
    const rows = [
      '| Name | Where |',
      '|---|---|',
      '| a | [a link](https://long.example/to/a/page) |',
      '| bbb | c |',
    ];
    const { page, text, stream, complete } = await openAndAsk('Table', { viewport: { width, height: 700 } });
    stream('Before.\n\n');
    const widths: number[] = [];
    const columns = new Set<number>();
    let sent = '';
    for (const character of `${rows.join('\n')}\n`) {
      stream(character);
      sent += character;
      await page.waitForTimeout(20);
      // The head is not shown as text before it is a table.
      expect(await text.innerText()).not.toContain('|');
      if (!sent.includes('|---|---|')) continue;
      const table = text.locator('table');
      widths.push(await table.evaluate((each) => (each as unknown as { offsetWidth: number }).offsetWidth));
      columns.add(await table.locator('th').count());
    }
    expect(columns).toEqual(new Set([2]));
    expect(widths).toEqual(widths.toSorted((a, b) => a - b));
    await complete(`Before.\n\n${rows.join('\n')}`);
    expect(await text.locator('td').count()).toBe(4);
    expect(await overflow(page)).toBe(0);
  });

  it('shows code as it comes, with colours when it is complete', async () => {
    const { text, stream } = await openAndAsk();
    stream('```js\nconst a = 1;\nconst b');
    await text.locator('pre', { hasText: 'const b' }).waitFor();
    expect(await text.locator('pre span').count()).toBe(0);
    stream(' = 2;\n```\n\nAnd then');
    await text.locator('.c-keyword').nth(1).waitFor();
  });
});

const top = (page: Page) => page.evaluate<number>('document.documentElement.scrollTop');
const left = (page: Page) =>
  page.evaluate<number>('((e) => e.scrollHeight - e.clientHeight - e.scrollTop)(document.documentElement)');

describe('scrolling', () => {
  const line = 'A line of text that is there to make the answer long.\n\n';

  it.each([320, 1280])('follows an answer until the reader scrolls up, at %i px', async (width) => {
    const viewport = { width, height: 600 };
    const { page, text, stream, complete, problems } = await openAndAsk('Long', { viewport });
    const jump = page.getByRole('button', { name: 'Jump to latest' });
    stream(line.repeat(30));
    await text.locator('p').nth(29).waitFor();
    await eventually(async () => (await left(page)) < 2);
    expect(await jump.isVisible()).toBe(false);
    await page.mouse.move(width / 2, 200);
    await page.mouse.wheel(0, -40);
    await jump.waitFor();
    const before = await top(page);
    stream(line.repeat(30));
    await text.locator('p').nth(59).waitFor();
    expect(await top(page)).toBe(before);
    await jump.press('Enter');
    await jump.waitFor({ state: 'hidden' });
    expect(await left(page)).toBeLessThan(2);
    expect(await page.evaluate('document.activeElement.id')).toBe('question');
    stream(line.repeat(30));
    await text.locator('p').nth(89).waitFor();
    await eventually(async () => (await left(page)) < 2);
    await complete(line.repeat(90));
    expect(await overflow(page)).toBe(0);
    expect(problems).toEqual([]);
  });

  it('offers no way back when no answer comes', async () => {
    const { page, complete } = await openAndAsk('Long', { viewport: { width: 800, height: 600 } });
    await complete(line.repeat(60));
    await page.mouse.move(300, 200);
    await page.mouse.wheel(0, -400);
    await eventually(async () => (await left(page)) > 300);
    expect(await page.getByRole('button', { name: 'Jump to latest' }).isVisible()).toBe(false);
  });
});

describe('a question', () => {
  const long = Array.from({ length: 40 }, (_, at) => `Line ${at}`).join('\n');

  it.each([320, 1280])('is folded when it is long, at %i px', async (width) => {
    const { page, problems } = await openAndAsk(long, { viewport: { width, height: 700 } });
    const bubble = page.locator('.question');
    const height = () =>
      bubble.evaluate((each) => (each as unknown as { offsetHeight: number }).offsetHeight);
    const folded = await height();
    expect(folded).toBeLessThan(400);
    const button = page.getByRole('button', { name: 'Show all' });
    expect(await button.getAttribute('aria-expanded')).toBe('false');
    await button.press('Enter');
    expect(await height()).toBeGreaterThan(900);
    await page.getByRole('button', { name: 'Show less' }).press('Enter');
    expect(await height()).toBe(folded);
    expect(await overflow(page)).toBe(0);
    expect(problems).toEqual([]);
  });

  it('is shown whole when it is short', async () => {
    const { page } = await openAndAsk('One\ntwo');
    expect(await page.getByRole('button', { name: 'Show all' }).count()).toBe(0);
    expect(await page.locator('.question').innerText()).toContain('One\ntwo');
  });
});
