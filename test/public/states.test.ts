/**
 * What the page says when an answer is cut, when it is offline, when the server is busy or restarting, and when the user is signed out.
 * @module-tag browser
 * @module-tag long
 */
import { describe, expect, it, onTestFinished } from 'vitest';
import { eventually, startApp } from '../support/app.ts';
import { askInPage, lastTurn, openPage, overflow } from './browser.ts';
import { useStandIn } from './setup.ts';
import { doneWith, type Exchange } from './stand-in.ts';

const { app, browser, server } = useStandIn();

const withQuestion = (question: string) => server.exchanges.filter((each) => each.question === question);

/** The request with this question, the first one or a later one, once it has arrived. */
async function exchangeOf(question: string, number = 1): Promise<Exchange> {
  await eventually(() => withQuestion(question).length >= number);
  return withQuestion(question)[number - 1] as Exchange;
}

const refuse = ({ response }: Exchange, status: number, code: string, retryAfter: number) =>
  response
    .writeHead(status, { 'content-type': 'application/json', 'retry-after': String(retryAfter) })
    .end(JSON.stringify({ status: `Refused: ${code}.`, error: { code, retry_after: retryAfter } }));

it('an answer that was cut at the output limit is marked', async () => {
  const { page } = await openPage(browser, server.url);
  await askInPage(page, 'Tell me all');
  (await exchangeOf('Tell me all')).send('done', { ...doneWith('All of', 'cut'), finish_reason: 'length' });
  await lastTurn(page).getByText('This answer was cut at the output limit.').waitFor();
  await askInPage(page, 'And?');
  (await exchangeOf('And?')).send('done', doneWith('That is all.', 'cut'));
  await lastTurn(page).getByText('That is all.').waitFor();
  expect(await lastTurn(page).getByText('output limit').count()).toBe(0);
});

describe('the bar below the header', () => {
  it.each([320, 1280])(
    'says that the browser is offline, at %i px, and keeps what is written',
    async (width) => {
      const { page } = await openPage(browser, app.url, { viewport: { width, height: 640 } });
      await page.getByLabel('Your question').fill('A draft');
      await page.context().setOffline(true);
      const bar = page.getByText('You are offline.');
      await bar.waitFor();
      expect(await overflow(page)).toBe(0);
      expect(await page.getByLabel('Your question').inputValue()).toBe('A draft');
      await page.context().setOffline(false);
      await bar.waitFor({ state: 'hidden' });
    },
  );

  it('says that the server cannot be reached, and checks on request', async () => {
    const { page } = await openPage(browser, app.url);
    const all = /\/(ask|health|sessions\/.*)$/;
    await page.route(all, (route) => route.abort());
    await askInPage(page, 'What is the capital of Egypt?');
    await lastTurn(page).getByText('The connection is lost.').waitFor();
    const bar = page.locator('#connection');
    await bar.getByText('The server cannot be reached.').waitFor();
    await bar.getByRole('button', { name: 'Check now' }).click();
    await bar.getByText('The server still cannot be reached.').waitFor();
    await page.unroute(all);
    await bar.getByRole('button', { name: 'Check now' }).press('Enter');
    await bar.locator('p').waitFor({ state: 'detached' });
    await lastTurn(page).getByText('Cairo').waitFor();
  });

  it('says that the server is restarting, and the question is asked again by itself', async () => {
    const { page, problems } = await openPage(browser, server.url);
    await askInPage(page, 'Restart');
    refuse(await exchangeOf('Restart'), 503, 'stopping', 1);
    await page.getByText('The server is restarting.').waitFor();
    const second = await exchangeOf('Restart', 2);
    second.send('done', doneWith('Here I am.', 'restarted'));
    await lastTurn(page).getByText('Here I am.').waitFor();
    expect(await page.locator('#connection').innerText()).toBe('');
    expect(problems).toEqual([]);
  });

  it('gives up after the second attempt, and a stopped question is not asked again', async () => {
    const { page } = await openPage(browser, server.url);
    await askInPage(page, 'Gone');
    refuse(await exchangeOf('Gone'), 503, 'stopping', 1);
    refuse(await exchangeOf('Gone', 2), 503, 'stopping', 0);
    await lastTurn(page).getByText('Refused: stopping.').waitFor();
    await lastTurn(page).getByRole('button', { name: 'Try again' }).click();
    refuse(await exchangeOf('Gone', 3), 503, 'stopping', 60);
    await page.getByText('The server is restarting.').waitFor();
    await page.keyboard.press('Escape');
    await lastTurn(page).getByText('Stopped.').waitFor();
    expect(await page.locator('#connection').innerText()).toBe('');
    expect(withQuestion('Gone')).toHaveLength(3);
  });
});

it.each([
  [429, 'model_rate_limited'],
  [503, 'busy'],
])('counts down after a %i, then offers to try again and says so', async (status, code) => {
  const { page, problems } = await openPage(browser, server.url);
  await askInPage(page, `Limited: ${code}`);
  refuse(await exchangeOf(`Limited: ${code}`), status, code, 2);
  const turn = lastTurn(page);
  await turn.getByRole('button', { name: /Try again in \d s/ }).waitFor();
  await turn.getByText('You can try again now.').waitFor({ state: 'attached' });
  await turn.getByRole('button', { name: 'Try again', exact: true }).click();
  await exchangeOf(`Limited: ${code}`, 2);
  expect(problems).toEqual([]);
});

it('says by the local clock when a budget renews, and does not count the hours down', async () => {
  const { page } = await openPage(browser, server.url);
  await askInPage(page, 'Too much');
  const { response } = await exchangeOf('Too much');
  const status = 'Your budget of this day has too little left. It renews at 2026-12-01T00:00:00.000Z.';
  response
    .writeHead(429, { 'content-type': 'application/json' })
    .end(JSON.stringify({ status, error: { code: 'budget_exceeded', retry_after: 30_000 } }));
  const turn = lastTurn(page);
  await turn.getByText(/It renews at (Nov 30|Dec 1), 2026/).waitFor();
  await turn.getByRole('button', { name: 'Try again', exact: true }).waitFor();
});

describe('signed out', () => {
  const signIn = '/.auth/login/aad?post_login_redirect_uri=%2F';

  it('is said where a question is asked, with a link to the sign-in page', async () => {
    const { page, problems } = await openPage(browser, server.url);
    server.wantsSignIn = true;
    onTestFinished(() => void (server.wantsSignIn = false));
    await askInPage(page, 'Who am I?');
    await lastTurn(page).getByText('You are signed out. Sign in to continue.').waitFor();
    expect(await lastTurn(page).getByRole('link', { name: 'Sign in' }).getAttribute('href')).toBe(signIn);
    expect(await page.locator('input').count()).toBe(0);
    expect(problems).toEqual([]);
  });

  it('is said where a conversation is read, when the sign-in names no user', async () => {
    const signedIn = await startApp({ env: { WEBSITE_AUTH_ENABLED: 'True' } });
    try {
      const extraHTTPHeaders = { 'x-ms-client-principal-name': 'ada@example.com' };
      const { page } = await openPage(browser, `${signedIn.url}/#session=any`, { extraHTTPHeaders });
      const notice = page.locator('#notice');
      await notice.getByText('The sign-in does not identify the user.').waitFor();
      expect(await notice.getByRole('link', { name: 'Sign in' }).getAttribute('href')).toBe(signIn);
    } finally {
      await signedIn.stop();
    }
  });

  it('is said in the list where there was a user before, and not to others', async () => {
    const { page } = await openPage(browser, server.url, { viewport: { width: 1280, height: 700 } });
    await page.getByText('This list is kept in this browser only.').waitFor();
    expect(await page.getByRole('link', { name: 'Sign in' }).count()).toBe(0);
    server.lists.set('', { sessions: [], next: null });
    await page.reload();
    await page.getByText('No conversations yet.').waitFor();
    server.lists.clear();
    await page.reload();
    await page.getByText('You are signed out.').waitFor();
    expect(await page.locator('#sessions').getByRole('link', { name: 'Sign in' }).getAttribute('href')).toBe(
      signIn,
    );
  });
});

it.each([
  ['table', 'table'],
  ['TypeScript', 'pre'],
])('has an example with "%s", and the emulated model answers it with a %s', async (word, shown) => {
  const { page, problems } = await openPage(browser, app.url);
  await page.getByRole('button', { name: word }).click();
  await lastTurn(page).locator('.facts').waitFor();
  expect(await lastTurn(page).locator(shown).count()).toBe(1);
  expect(problems).toEqual([]);
});
