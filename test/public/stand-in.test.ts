/**
 * The chat page with a fake server, whose responses and their timing are controlled by the test.
 * @module-tag browser
 * @module-tag long
 */
import { describe, expect, it, onTestFinished } from 'vitest';
import { eventually } from '../support/app.ts';
import { askInPage, lastTurn, openPage } from './browser.ts';
import { useStandIn } from './setup.ts';
import { doneWith, type Exchange } from './stand-in.ts';

const { browser, server } = useStandIn();

/** Opens the page and asks a question. Returns the page and the exchange. */
async function openAndAsk(question: string) {
  const opened = await openPage(browser, server.url);
  await askInPage(opened.page, question);
  return { ...opened, exchange: await exchangeOf(question) };
}

async function exchangeOf(question: string): Promise<Exchange> {
  const found = () => server.exchanges.findLast((each) => each.question === question);
  await eventually(() => found() !== undefined);
  return found() as Exchange;
}

it('shows an answer while it arrives, and announces it once, at the end', async () => {
  const { page, problems, exchange } = await openAndAsk('Stream');
  expect(exchange.sessionId).toMatch(/^[\da-f-]{36}$/);
  expect(page.url()).toBe(`${server.url}/#session=${exchange.sessionId}`);
  const turn = lastTurn(page);
  exchange.sendRaw(': a comment\n\nevent: session\ndata: {"session_id": "s 1", "cold_start": true}\n\n');
  exchange.send('token', { text: 'One **two' });
  await turn.locator('p', { hasText: 'One **two' }).waitFor();
  // Split within a UTF-8 character.
  const bytes = Buffer.from(
    'event: token\r\ndata: {"text": "** thr\u00e9\u00e9"}\r\n\r\n: still there\r\n\r\n',
  );
  const middle = bytes.indexOf(0xc3) + 1;
  exchange.response.write(bytes.subarray(0, middle));
  exchange.response.write(bytes.subarray(middle));
  await turn.locator('strong', { hasText: 'two' }).waitFor();
  expect(await turn.locator('.text').innerText()).toBe('One two thr\u00e9\u00e9');
  expect(await page.locator('#status').textContent()).toBe('');
  exchange.send('done', doneWith('One **two** thr\u00e9\u00e9\n\nFour', 's 1'));
  await turn.getByText('Model, 250').waitFor();
  expect(await page.locator('#status').textContent()).toBe('Answer: One two thr\u00e9\u00e9\n\nFour');
  expect(problems).toEqual([]);
});

it('says that the model is thinking when no text comes, and shows how much of the answer was reasoning', async () => {
  const { page, exchange } = await openAndAsk('Think');
  exchange.send('session', { session_id: 's3', cold_start: false });
  await lastTurn(page).getByText('The model is thinking').waitFor();
  const done = doneWith('Forty-two.', 's3');
  done.performance_metrics.tokens = {
    prompt: 20,
    completion: 103,
    cached: 0,
    cache_write: 0,
    reasoning: 100,
    saved: 0,
  };
  exchange.send('token', { text: 'Forty-two.' });
  exchange.send('done', done);
  await lastTurn(page).locator('summary').click();
  await lastTurn(page).getByText('103, of these 100 reasoning').waitFor();
  expect(await lastTurn(page).getByText('The model is thinking').count()).toBe(0);
});

it('stops the answer on the server, keeps the text that came, and asks again with another key', async () => {
  const { page, exchange } = await openAndAsk('Stop this');
  exchange.send('session', { session_id: 's2', cold_start: false });
  exchange.send('token', { text: 'Half an' });
  await lastTurn(page).getByText('Half an').waitFor();
  const disconnected = new Promise((resolve) => exchange.response.once('close', resolve));
  await page.getByRole('button', { name: 'Stop' }).click();
  await disconnected;
  await lastTurn(page).getByText('Half an').waitFor();
  await lastTurn(page).getByText('Stopped.').waitFor();
  await lastTurn(page).getByRole('button', { name: 'Ask again' }).click();
  await eventually(async () => (await exchangeOf('Stop this')) !== exchange);
  const again = await exchangeOf('Stop this');
  expect(server.stopped).toContain(exchange.key);
  expect(again.sessionId).toBe(exchange.sessionId);
  expect(again.key).not.toBe(exchange.key);
});

it('shows an error that follows a partial answer', async () => {
  const { page, exchange } = await openAndAsk('Fail late');
  exchange.send('token', { text: 'Almost' });
  exchange.send('error', { status: 'It went wrong late.', error: { code: 'timeout', retry_after: 60 } });
  exchange.response.end();
  await lastTurn(page).getByText('It went wrong late.').waitFor();
  await lastTurn(page).getByText('Almost').waitFor();
  expect(await lastTurn(page).getByRole('button').textContent()).toMatch(/Try again in \d\d s/);
});

it.each([
  ['ends', (exchange: Exchange) => exchange.response.end()],
  ['is cut off', (exchange: Exchange) => exchange.response.destroy()],
])(
  'asks once more with the same key when a stream %s and the server does not know the answer',
  async (how, finish) => {
    const { page, exchange } = await openAndAsk(`Break: ${how}`);
    exchange.send('token', { text: 'Half an' });
    await lastTurn(page).getByText('Half an').waitFor();
    finish(exchange);
    await eventually(async () => (await exchangeOf(exchange.question)) !== exchange);
    const again = await exchangeOf(exchange.question);
    expect(again.key).toBe(exchange.key);
    again.send('session', { session_id: exchange.sessionId, offset: 0 });
    again.send('token', { text: 'Another one' });
    again.send('done', doneWith('Another one', exchange.sessionId ?? ''));
    await lastTurn(page).locator('.facts').waitFor();
    expect(await lastTurn(page).locator('.text').innerText()).toBe('Another one');
    expect(await page.locator('.turn').count()).toBe(1);
  },
);

it('does not scroll when the reader has scrolled up', async () => {
  const { page, exchange } = await openAndAsk('Long');
  exchange.send('token', { text: 'line\n\n'.repeat(100) });
  const y = () => page.evaluate<number>('scrollY');
  await eventually(async () => (await y()) > 500);
  await page.evaluate('scrollTo(0, 100)');
  exchange.send('token', { text: 'The last line' });
  await lastTurn(page).getByText('The last line').waitFor();
  expect(await y()).toBe(100);
});

/** Adds a conversation to the fake server: questions and answers in turn. */
const keepSession = (id: string, next: string | null, ...contents: string[]) => {
  const messages = contents.map((content, index) => ({ role: index % 2 === 0 ? 'human' : 'ai', content }));
  server.sessions.set(id, { session_id: id, chat_history: messages, next });
};

describe('the session in the URL', () => {
  it('shows its conversation, continues it, and changes with the Back button', async () => {
    keepSession('a/b', 'more', 'First?', 'One **bold**.', 'Second?', 'Two.');
    const { page, problems } = await openPage(browser, `${server.url}/#session=a%2Fb`);
    await lastTurn(page).getByText('Two.').waitFor();
    expect(await page.locator('.turn strong').innerText()).toBe('bold');
    expect(await page.locator('#notice').innerText()).toBe('Show earlier');
    await askInPage(page, 'Third?');
    expect((await exchangeOf('Third?')).sessionId).toBe('a/b');
    // An answer in progress is not shown in another conversation.
    await page.getByRole('button', { name: 'New conversation' }).click();
    expect(await page.locator('.turn').count()).toBe(0);
    expect(page.url()).toBe(`${server.url}/`);
    await page.goBack();
    await page.getByText('Two.').waitFor();
    // It is followed again in its own.
    expect(await page.locator('.question-text').allInnerTexts()).toEqual(['First?', 'Second?', 'Third?']);
    expect(problems).toEqual([]);
  });

  it('is an empty conversation when it is unknown to the server', async () => {
    const { page } = await openPage(browser, `${server.url}/#session=unknown`);
    await page.getByText('What would you like to know?').waitFor();
    expect(await page.locator('#notice').innerText()).toBe('');
  });

  it('is read once the function key is entered', async () => {
    server.key = 'the key';
    onTestFinished(() => (server.key = undefined));
    keepSession('closed', null, 'Q', 'A with a key');
    const { page } = await openPage(browser, `${server.url}/#session=closed`);
    await page.getByLabel('The server asks for a function key.').fill('the key');
    await page.keyboard.press('Enter');
    await lastTurn(page).getByText('A with a key').waitFor();
    // The key is kept for the tab.
    await page.reload();
    await lastTurn(page).getByText('A with a key').waitFor();
  });
});
