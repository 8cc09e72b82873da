/**
 * Rendering of Markdown in answers, including malicious and extreme text.
 * @module-tag browser
 */
import { describe, expect, it } from 'vitest';
import { sampled } from '../support/effort.ts';
import { askInPage, lastTurn, openPage, overflow } from './browser.ts';
import { useBrowser } from './setup.ts';

const { app, browser } = useBrowser();

const answerWith = (content: string) => app.emulator.failNext({ kind: 'answer', content });

describe('Markdown', () => {
  it.each(
    sampled(
      [
        [
          'plain *em* **strong** ***both*** ~~del~~ `a*b*`',
          '<p>plain <em>em</em> <strong>strong</strong> <em><strong>both</strong></em> <del>del</del> <code>a*b*</code></p>',
        ],
        [
          '2 * 3 * 4, snake_case_name, **open, \\*escaped\\*',
          '<p>2 * 3 * 4, snake_case_name, **open, *escaped*</p>',
        ],
        ['one\ntwo\n\nthree', '<p>one<br>two</p><p>three</p>'],
        ['# Big #\n### Small', '<h3>Big</h3><h4>Small</h4>'],
        ['- a\n  1. b\n  2. c\n- d', '<ul><li>a<ol><li>b</li><li>c</li></ol></li><li>d</li></ul>'],
        ['3. a\n\n4. b', '<ol start="3"><li><p>a</p></li><li><p>b</p></li></ol>'],
        [
          '1) a\n   ```\n   x\n     y\n   ```\n2) b',
          /<ol><li>a<figure.*<code>x\n  y<\/code><\/pre><\/figure><\/li><li>b<\/li><\/ol>/s,
        ],
        ['> quoted\n> **on**\n\n---', '<blockquote><p>quoted<br><strong>on</strong></p></blockquote><hr>'],
        [
          '| a | b |\n|:-:|--:|\n| `x \\| y` | 2 |',
          /<th class="center">a<\/th>.*<td class="center"><code>x \| y<\/code><\/td><td class="right neutral">2<\/td>/,
        ],
        [
          'see https://example.org/x. [q](https://e.org "t")',
          /see <a href="https:\/\/example.org\/x"[^>]*>https:\/\/example.org\/x<\/a>\. <a href="https:\/\/e.org\/"[^>]*>q<\/a>/,
        ],
      ],
      2,
    ),
  )('%j', async (markdown, html) => {
    const { page } = await openPage(browser, app.url);
    answerWith(markdown);
    await askInPage(page, markdown);
    await lastTurn(page).locator('.facts').waitFor();
    const made = await lastTurn(page).locator('.text').innerHTML();
    if (typeof html === 'string') expect(made).toBe(html);
    else expect(made).toMatch(html);
  });

  it('has a button that copies code unchanged', async () => {
    const { page, problems } = await openPage(browser, app.url, {
      permissions: ['clipboard-read', 'clipboard-write'],
    });
    const code = 'all:\n\techo "a < b"';
    answerWith(`Here:\n\n~~~make\n${code}\n~~~`);
    await askInPage(page, 'Code');
    await page.getByRole('button', { name: 'Copy', exact: true }).click();
    await page.getByRole('button', { name: 'Copied' }).waitFor();
    expect(await page.evaluate('navigator.clipboard.readText()')).toBe(code);
    expect(problems).toEqual([]);
  });
});

describe('a malicious answer', () => {
  const HOSTILE = [
    '<img src=x onerror="document.title=\'harmed\'"> <script>document.title="harmed"</script>',
    '[a](javascript:document.title="harmed") [b](JaVaScRiPt&#58;x) [c](data:text/html,x) <javascript:x> [d](\tjavascript:x)',
    '[ok](https://example.org/a?b=c) ![pic](https://example.org/p.png)',
    '```html\n<img src=x onerror=alert(1)>\n</script><script>document.title="harmed"</script>\n```',
    '<svg onload=document.title="harmed"></svg><style>body{display:none}</style>',
  ].join('\n\n');

  it('is shown as text', async () => {
    const { page, problems } = await openPage(browser, app.url);
    answerWith(HOSTILE);
    await askInPage(page, 'Harm me');
    await lastTurn(page).locator('.facts').waitFor();
    const text = lastTurn(page).locator('.text');
    expect(await text.innerText()).toContain('<img src=x onerror="document.title=\'harmed\'">');
    expect(await text.locator('img, script, svg, style, iframe').count()).toBe(0);
    const links = await page.evaluate(
      '[...document.querySelectorAll(".text a")].map((a) => [a.href, a.rel, a.target])',
    );
    const safe = ['noopener noreferrer nofollow', '_blank'];
    expect(links).toEqual([
      ['https://example.org/a?b=c', ...safe],
      ['https://example.org/p.png', ...safe],
    ]);
    expect(await page.title()).toBe('Harm me · Azure Functions Ask');
    expect(problems).toEqual([]);
    // Trusted types prevent the page itself from creating markup out of text.
    await expect(page.evaluate('document.body.innerHTML = "<b>x</b>"')).rejects.toThrow('TrustedHTML');
  });

  it(
    'does not break the page with a huge table, endless lines or deep nesting',
    { tags: ['long'] },
    async () => {
      const { page, problems } = await openPage(browser, app.url, { viewport: { width: 320, height: 640 } });
      const row = `|${' cell |'.repeat(60)}`;
      const table = [row, `|${'---|'.repeat(60)}`, ...Array.from({ length: 300 }, () => row)].join('\n');
      const endless = [
        '**a '.repeat(4000),
        '['.repeat(4000),
        '`` '.repeat(4000),
        `> ${'> '.repeat(2000)}`,
      ].join('\n\n');
      answerWith(
        [table, 'x'.repeat(5000), `\`${'y'.repeat(5000)}\``, endless, `${'- '.repeat(2000)}z`].join('\n\n'),
      );
      await askInPage(page, 'Something huge');
      await lastTurn(page).locator('.facts').waitFor({ timeout: 40_000 });
      expect(await overflow(page)).toBe(0);
      expect(await lastTurn(page).locator('td').count()).toBe(18_000);
      expect(problems).toEqual([]);
    },
  );

  const LENGTH = 100_000;
  it.each(
    sampled([
      ['spaces in a heading, and a line separator', `# ${' '.repeat(LENGTH)}x\u2028y`],
      ['a heading of spaces', `#${' '.repeat(LENGTH)}x`],
      ['tildes, and a backtick', `${'~'.repeat(LENGTH)}\``],
      ['backticks', `${'`'.repeat(LENGTH)}x\``],
      ['runs of backticks of all lengths', Array.from({ length: 400 }, (_, at) => '`'.repeat(at)).join(' ')],
      ['open brackets', '['.repeat(LENGTH)],
      ['open links', '[a]('.repeat(LENGTH / 4)],
      ['open addresses', '[a](<'.repeat(LENGTH / 5)],
      ['open titles', '[a](b "'.repeat(LENGTH / 7)],
      ['emphasis', '*_~'.repeat(LENGTH / 3)],
      ['stars', `x${'*'.repeat(LENGTH)}x`],
      ['slashes of an address', `https://${'/)'.repeat(LENGTH / 2)}`],
      ['spaces and backslashes', `x${' \\'.repeat(LENGTH / 2)}`],
      ['spaces in a line', `x${' '.repeat(LENGTH)}x`],
      ['a line of dashes', `${'- '.repeat(LENGTH / 2)}x`],
      ['bars', `|${'|'.repeat(LENGTH)}\n|${'-|'.repeat(LENGTH / 2)}`],
      ['tabs', `${'\t'.repeat(LENGTH)}- x`],
      ['short lines', '> - a\n'.repeat(LENGTH / 6)],
      ['empty lines in a list', `- a${'\n'.repeat(LENGTH)}- b`],
      ['broken lines', '<br'.repeat(LENGTH / 3)],
    ]),
  )('is rendered quickly: %s', async (name, content) => {
    const { page, problems } = await openPage(browser, app.url);
    answerWith(content);
    await askInPage(page, name);
    await lastTurn(page).locator('.facts').waitFor({ timeout: 40_000 });
    // The longest time for which the page was unresponsive, as reported by the browser.
    const longest = await page.evaluate<number>(`new Promise((resolve) => {
      new PerformanceObserver((list) => resolve(Math.max(...list.getEntries().map((e) => e.duration))))
        .observe({ type: 'longtask', buffered: true });
      setTimeout(resolve, 500, 0);
    })`);
    expect(longest).toBeLessThan(2500);
    expect(problems).toEqual([]);
  });
});
