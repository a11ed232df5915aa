// GraphiQL in a browser that can reach only the server: a query, a registration, a follow
// and a live subscription, on both stores. The server starts on an empty store, with the
// demo data.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, afterEach, before, test } from 'node:test';
import { chromium } from 'playwright-core';
import { run, start, stopAll } from '../../../clients/lib/processes.mjs';

const TIMEOUT = 90_000; // ms; only a program that hangs takes that long
const root = path.resolve(import.meta.dirname, '../../..');
const folder = mkdtempSync(path.join(tmpdir(), 'chirp-graphiql-'));
let server, url, ops, browser;

before(async () => {
  await build('chirp', '.');
  await build('servemongod', './internal/storage/mongodb/mongotest/servemongod');
  browser = await chromium.launch({
    executablePath: process.env.CHIRP_TEST_CHROMIUM ?? '/usr/bin/chromium',
    args: [
      '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update',
      '--disable-sync', '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1',
    ],
  });
});

afterEach(() => server?.stop());

after(async () => {
  await browser?.close();
  await stopAll();
  rmSync(folder, { recursive: true, force: true });
});

async function build(name, from) {
  const { code } = await run('go', ['build', '-o', path.join(folder, name), from], { cwd: root });
  assert.equal(code, 0, 'go build ' + from);
}

async function serve(...flags) {
  server = await start(path.join(folder, 'chirp'), ['--addr', '127.0.0.1:0', '--ops-addr', '127.0.0.1:0', '--demo', ...flags], /msg=listening url=(http:\S+)\/graphql/);
  url = server.match[1];
  ops = server.log().match(/ ops=(http:\S+)\//)[1];
  await ready(url);
}

async function ready(address) {
  for (const deadline = Date.now() + TIMEOUT; Date.now() < deadline; ) {
    const response = await fetch(address + '/readyz').catch(() => null);
    if (response?.ok) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error('the server did not become ready');
}

async function ask(token, query, variables) {
  const headers = { 'Content-Type': 'application/json', ...(token && { Authorization: 'Bearer ' + token }) };
  const response = await (await fetch(url + '/graphql', { method: 'POST', headers, body: JSON.stringify({ query, variables }) })).json();
  assert.equal(response.errors, undefined, JSON.stringify(response.errors));
  return response.data;
}

// subscriptionStarted waits until the server serves a feed subscription. One without a
// cursor starts when the server receives it, not when the client sends it.
async function subscriptionStarted() {
  for (const deadline = Date.now() + TIMEOUT; Date.now() < deadline; ) {
    const metrics = await (await fetch(ops + '/metrics')).text();
    if (/^chirp_feed_subscriptions [1-9]/m.test(metrics)) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error('the server has no feed subscription');
}

// open opens GraphiQL, and records what it must not do: contact any other server, or log an
// error to the console.
async function open() {
  const page = await (await browser.newContext({ viewport: { width: 1400, height: 900 } })).newPage();
  page.setDefaultTimeout(TIMEOUT);
  const faults = [];
  const isOurs = (address) => new URL(address).host === new URL(url).host || ['data:', 'blob:'].includes(new URL(address).protocol);
  const sockets = [];
  await page.context().route('**/*', (route) => {
    if (isOurs(route.request().url())) return route.continue();
    faults.push('request to ' + route.request().url());
    return route.abort();
  });
  page.on('websocket', (socket) => {
    sockets.push(socket.url());
    if (!isOurs(socket.url())) faults.push('socket to ' + socket.url());
  });
  page.on('console', (message) => message.type() === 'error' && faults.push('console: ' + message.text()));
  page.on('pageerror', (error) => faults.push('error: ' + error));
  await page.goto(url + '/graphiql');
  await page.locator('.graphiql-tab-button').first().waitFor();
  await page.locator('.graphiql-query-editor .view-line').first().waitFor();
  return { page, faults, sockets };
}

async function tab(page, name) {
  await page.locator('.graphiql-tab-button', { hasText: new RegExp('^' + name + '$') }).click();
  await page.locator('.graphiql-query-editor .view-lines').filter({ hasText: new RegExp('(query|mutation|subscription)\\s' + name + '\\b') }).waitFor();
}

const execute = (page) => page.locator('.graphiql-execute-button').click();
const resultShown = (page, text) => page.locator('.graphiql-response .view-lines').filter({ hasText: text }).waitFor();
const screenshot = (page, name) => process.env.CHIRP_TEST_PICTURES && page.screenshot({ path: path.join(process.env.CHIRP_TEST_PICTURES, name + '.png') });

async function setVariables(page, variables) {
  await page.locator('.graphiql-editor-tool .monaco-editor:visible').first().click();
  await page.keyboard.press('Control+a');
  await page.keyboard.insertText(JSON.stringify(variables));
  // Remove the closing quotes and brackets that the editor inserted.
  await page.keyboard.press('Control+Shift+End');
  await page.keyboard.press('Delete');
}

async function useGraphiQL() {
  const { page, faults, sockets } = await open();
  await tab(page, 'Explore');
  await execute(page);
  await resultShown(page, 'recentChirps');
  await screenshot(page, 'explore');

  await tab(page, 'Register');
  await execute(page);
  await resultShown(page, 'registerUser');
  await page.waitForFunction(() => document.querySelector('#token').value.split('.').length === 3);

  const { logIn } = await ask('', 'mutation { logIn(input: {username: "maren_k", password: "chirp-demo"}) { token user { id } } }');
  await tab(page, 'Follow');
  await setVariables(page, { userId: logIn.user.id });
  await execute(page);
  await resultShown(page, 'viewerFollows');

  await tab(page, 'FeedLive');
  const subscribed = page.waitForEvent('websocket').then((socket) => socket.waitForEvent('framesent', { predicate: (f) => f.payload.includes('"subscribe"') }));
  await execute(page);
  await subscribed;
  await subscriptionStarted();
  const text = 'seen live in GraphiQL';
  await ask(logIn.token, 'mutation($content: String!) { postChirp(input: {content: $content}) { position } }', { content: text });
  await resultShown(page, text.replaceAll(' ', '\u00a0'));
  await screenshot(page, 'live');
  await page.locator('.graphiql-execute-button').click(); // stops the subscription

  await page.locator('button[aria-label="Show Documentation Explorer"]').click();
  await page.locator('.graphiql-doc-explorer').getByText('Subscription', { exact: true }).first().waitFor();
  await screenshot(page, 'docs');
  assert.deepEqual(faults, []);
  assert.ok(sockets.length > 0, 'no socket was opened');
  await page.context().close();
}

test('a query, a registration, a follow and a live feed work on the embedded store, without other servers', async () => {
  await serve('--data', path.join(folder, 'data'));
  await useGraphiQL();
});

test('the same works on MongoDB', async () => {
  const mongod = await start(path.join(folder, 'servemongod'), [], /^(mongodb:\S+)$/m, { cwd: root });
  await serve('--mongodb-uri', mongod.match[1]);
  await useGraphiQL();
});
