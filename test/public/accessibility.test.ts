/**
 * Accessibility of the page, checked by axe at the widths of its three layouts.
 * @module-tag browser
 * @module-tag long
 */
import axe from 'axe-core';
import type { Page } from 'playwright-core';
import { describe, expect, it } from 'vitest';
import { askInPage, lastTurn, openPage, overflow } from './browser.ts';
import { useBrowser } from './setup.ts';

const { app, browser } = useBrowser();

describe.each(['light', 'dark'] as const)('in %s', (colorScheme) => {
  it.each([320, 768, 1280])('has no violations and no horizontal scrolling at %i px', async (width) => {
    const { page, problems } = await openPage(browser, app.url, {
      colorScheme,
      viewport: { width, height: 800 },
    });
    expect(await findings(page)).toEqual([]);
    expect(await overflow(page)).toBe(0);
    const content =
      '# A heading\n\nText with `code`, **bold** and a [link](https://example.org).\n\n> quoted\n\n- one\n  - two\n\n' +
      '| a | b |\n|---|---|\n| 1 | 2 |\n\n```js\nconst long = "code that is wider than the window of a small telephone";\n```';
    app.emulator.failNext({ kind: 'answer', content });
    await askInPage(page, `Show me everything in ${colorScheme} at ${width}`);
    await lastTurn(page).locator('.facts').waitFor();
    app.emulator.failNext({ kind: 'content_filter' });
    await askInPage(page, `And an error in ${colorScheme} at ${width}`);
    await lastTurn(page).getByRole('button').waitFor();
    await lastTurn(page).getByRole('button', { name: 'Edit question' }).click();
    await page.locator('.edit-note').waitFor();
    expect(await findings(page)).toEqual([]);
    await page.keyboard.press('Escape');
    if (width < 1280) await page.getByRole('button', { name: 'Measurements' }).click();
    await page.locator('#measured svg').waitFor();
    expect(await findings(page)).toEqual([]);
    expect(await overflow(page)).toBe(0);
    expect(problems).toEqual([]);
  });
});

/** The violations that axe finds, of any weight. */
async function findings(page: Page): Promise<string[]> {
  await page.evaluate(axe.source);
  const { violations } = await page.evaluate<axe.AxeResults>('axe.run()');
  return violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`);
}
