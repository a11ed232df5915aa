// The end-to-end scenario: two users, step by step. Each step starts where the previous one
// ended.
import assert from 'node:assert/strict';
import { Api, withExpiry } from './lib/api.mjs';
import { Visitor } from './lib/browser.mjs';

const PASSWORD = 'correct horse battery';
const PAGE = 20;

/** Bob's password after the scenario. */
export const NEW_PASSWORD = 'another horse battery';

export const FLAGS = ['--rate-limit', '0', '--celebrity-threshold', '2'];

/** Runs the scenario against a server, and returns the problems that the pages reported. */
export async function scenario(browser, server, secret, say) {
  const ctx = { server, secret, api: new Api(server.url) };
  ctx.ada = await Visitor.open(browser, server.url);
  ctx.bob = await Visitor.open(browser, server.url, { viewport: { width: 390, height: 844 }, colorScheme: 'dark' });
  for (const step of [arrive, follow, live, page, lostResponse, crash, celebrity, counts, lists, back, keyboard, rollback, ownReads, offline, sessions, password, endedElsewhere, expiry, leaving]) {
    const began = Date.now();
    await step(ctx);
    say(`${step.name} (${Date.now() - began} ms)`);
  }
  return [...ctx.ada.problems, ...ctx.bob.problems];
}

// Two visitors find an empty server and create accounts.
async function arrive(ctx) {
  const { ada, bob } = ctx;
  await ada.go('/');
  await ada.page.getByText('Nothing yet').waitFor();
  await ada.audit('the welcome page');
  await ada.go('/register');
  await ada.audit('the registration');
  await ada.submitEntryForm('/register', 'ada', PASSWORD);
  await bob.go('/register');
  await bob.page.getByLabel('Name').fill('ADA');
  await bob.page.getByLabel('Password').fill(PASSWORD);
  await bob.page.getByRole('button', { name: 'Join' }).click();
  await bob.page.getByText('That name is already taken').waitFor();
  await bob.page.getByLabel('Name').fill('bob');
  await bob.page.getByRole('button', { name: 'Join' }).click();
  await bob.page.getByRole('heading', { name: 'Follow someone' }).waitFor();
  await bob.audit('an empty home on a phone');
  ctx.adaApi = await ctx.api.logIn('ada', PASSWORD);
  ctx.bobApi = await ctx.api.logIn('bob', PASSWORD);
}

// Bob finds Ada and follows her. The page shows it before the server has responded.
async function follow({ bob }) {
  await bob.page.getByRole('link', { name: 'Find people' }).click();
  await bob.page.getByRole('region', { name: 'People who joined recently' }).getByRole('link', { name: 'ada' }).waitFor();
  await bob.audit('people on a phone');
  await bob.page.getByRole('link', { name: 'ada' }).click();
  await bob.page.locator('[data-count=followers]').filter({ hasText: /^0$/ }).waitFor();
  let release;
  const released = new Promise((resolve) => (release = resolve));
  const end = await bob.intercept('Follow', async (route) => {
    await released;
    await route.continue();
  });
  await bob.page.getByRole('button', { name: 'Follow ada' }).click();
  await bob.page.getByRole('button', { name: 'Following ada' }).waitFor();
  await bob.page.locator('[data-count=followers]').filter({ hasText: /^1$/ }).waitFor();
  release();
  await end();
  await bob.audit('a profile on a phone');
  await bob.page.getByRole('link', { name: 'Home' }).click();
  await bob.page.getByRole('heading', { name: 'It is quiet here' }).waitFor();
  await bob.connection('live');
}

// What Ada posts appears on Bob's page without a reload: the first chirp at once, because
// the feed was empty, and later ones behind a pill.
async function live({ ada, bob }) {
  const text = ada.page.getByLabel('Write a chirp');
  const button = ada.page.getByRole('button', { name: 'Chirp', exact: true });
  await text.fill(`  ${'🐦'.repeat(280)}\r\n`);
  await ada.page.getByText('280 of / 280').waitFor();
  await text.fill('🐦'.repeat(281));
  assert.equal(await button.isDisabled(), true, 'a text of 281 code points can be posted');
  await ada.audit('a text that is too long');
  await text.fill('The first chirp, for @bob.');
  await button.click();
  await ada.page.getByText('Posted', { exact: true }).waitFor();
  await bob.page.getByText('The first chirp, for').waitFor();
  for (const word of ['two', 'three']) {
    await text.fill(`Chirp ${word}`);
    await text.press('Control+Enter');
    await ada.page.locator('.own').getByText(`Chirp ${word}`).waitFor();
  }
  await bob.page.getByRole('button', { name: '2 new chirps' }).waitFor();
  assert.equal(await bob.page.getByText('Chirp two').count(), 0, 'the list moved by itself');
  await bob.audit('a feed with a pill');
  await bob.page.getByRole('button', { name: '2 new chirps' }).click();
  await bob.page.getByText('Chirp three').waitFor();
  await checkFeed(bob, 3);
}

// checkFeed checks that a feed shows a number of chirps without duplicates and, if given, the wanted ids.
async function checkFeed(visitor, length, want) {
  const got = await visitor.shownChirps('Your feed');
  assert.equal(got.length, length);
  assert.equal(new Set(got).size, got.length, 'a chirp is shown twice');
  if (want) assert.deepEqual(got, want);
}

// Bob scrolls to the oldest chirp, and each chirp is shown once.
async function page(ctx) {
  for (let i = 0; i < 2 * PAGE + 7; i++) await ctx.adaApi.post(`Page filler ${i}`);
  const { bob } = ctx;
  await bob.page.getByRole('button', { name: `${2 * PAGE + 7} new chirps` }).waitFor();
  await bob.page.reload();
  await bob.page.getByRole('region', { name: 'Your feed' }).waitFor();
  assert.ok((await bob.shownChirps('Your feed')).length <= 2 * PAGE, 'all pages were loaded at once');
  await toTheEnd(bob);
  await checkFeed(bob, 2 * PAGE + 10, await ctx.bobApi.feed());
}

async function toTheEnd({ page }) {
  const deadline = Date.now() + 30_000;
  while (!(await page.getByText('That is all.').isVisible())) {
    await page.evaluate(() => window.scrollTo(0, document.body.scrollHeight));
    assert.ok(Date.now() < deadline, 'the list does not reach its end');
    await page.waitForTimeout(30);
  }
}

// The response to a new chirp is lost. The page retries, and only one chirp is posted.
async function lostResponse(ctx) {
  const { ada, bob } = ctx;
  let attempts = 0;
  ada.expectNetworkErrors = true;
  const end = await ada.intercept('PostChirp', async (route) => {
    if (++attempts > 1) return route.continue();
    await route.fetch();
    return route.abort('connectionreset');
  });
  await ada.page.getByLabel('Write a chirp').fill('Said once');
  await ada.page.getByRole('button', { name: 'Chirp', exact: true }).click();
  await ada.page.locator('.own').getByText('Said once').waitFor();
  await end();
  ada.expectNetworkErrors = false;
  assert.equal(attempts, 2);
  await bob.page.getByRole('button', { name: '1 new chirp' }).waitFor();
  const data = await ctx.api.ask('{ user(username: "ada") { chirps(first: 3) { edges { node { content } } } } }');
  assert.equal(data.user.chirps.edges.filter((edge) => edge.node.content === 'Said once').length, 1);
}

// The server is killed and restarted. Bob misses nothing, and Ada posts the text that she
// could not post in the meantime.
async function crash(ctx) {
  const { ada, bob, server } = ctx;
  await bob.page.getByRole('button', { name: '1 new chirp' }).click();
  await bob.page.getByText('Said once').waitFor();
  ada.expectNetworkErrors = bob.expectNetworkErrors = true;
  await server.kill();
  await bob.connection('lost');
  await bob.audit('a lost connection');
  await ada.page.getByLabel('Write a chirp').fill('Said in the dark');
  await ada.page.getByRole('button', { name: 'Chirp', exact: true }).click();
  await ada.page.getByText('Your text is still here').waitFor();
  await server.start();
  for (const i of [1, 2, 3]) await ctx.adaApi.post(`While you were away ${i}`);
  await bob.connection('live');
  await ada.connection('live');
  ada.expectNetworkErrors = bob.expectNetworkErrors = false;
  await bob.page.getByRole('button', { name: '3 new chirps' }).waitFor();
  await ada.page.getByRole('button', { name: 'Chirp', exact: true }).click();
  await ada.page.locator('.own').getByText('Said in the dark').waitFor();
  await bob.page.getByRole('button', { name: '4 new chirps' }).click();
  await bob.page.getByText('Said in the dark').waitFor();
  const want = await ctx.bobApi.feed();
  await checkFeed(bob, want.length, want);
}

// With two followers Ada is a celebrity on this server, whose chirps are delivered
// differently; they arrive all the same.
async function celebrity(ctx) {
  ctx.carl = await ctx.api.register('carl', PASSWORD);
  await ctx.carl.follow(ctx.adaApi);
  const { ada, bob } = ctx;
  await ada.page.getByLabel('Write a chirp').fill('From a celebrity');
  await ada.page.getByRole('button', { name: 'Chirp', exact: true }).click();
  await bob.page.getByRole('button', { name: '1 new chirp' }).click();
  await bob.page.getByText('From a celebrity').waitFor();
  const want = await ctx.bobApi.feed();
  await checkFeed(bob, want.length, want);
  await bob.page.getByRole('article', { name: 'Chirp by ada' }).first().getByText('(many follow this user)').waitFor();
}

// A profile's counts change while Bob looks at it, and he can load its new chirps.
async function counts(ctx) {
  const { bob } = ctx;
  await bob.page.getByRole('region', { name: 'Your feed' }).getByRole('link', { name: 'ada' }).first().click();
  await bob.page.locator('[data-count=followers]').filter({ hasText: /^2$/ }).waitFor();
  const dora = await ctx.api.register('dora', PASSWORD);
  await dora.follow(ctx.adaApi);
  await bob.page.locator('[data-count=followers]').filter({ hasText: /^3$/ }).waitFor();
  await ctx.adaApi.post('On my profile');
  await bob.page.getByRole('button', { name: '1 new chirp' }).click();
  await bob.page.getByText('On my profile').waitFor();
}

// The remaining pages show what they should.
async function lists({ bob, api }) {
  await bob.page.getByRole('link', { name: '3 followers' }).click();
  await bob.page.getByRole('region', { name: 'Followers' }).getByRole('link', { name: 'dora' }).waitFor();
  await bob.audit('followers');
  await bob.page.getByRole('link', { name: 'Following', exact: true }).click();
  await bob.page.getByText('ada follows nobody yet').waitFor();
  await bob.go('/explore');
  await bob.page.getByRole('region', { name: 'Recent chirps' }).getByText('On my profile').waitFor();
  await bob.audit('recent chirps');
  const { user } = await api.ask('{ user(username: "ada") { chirps(first: 1) { edges { node { id } } } } }');
  await bob.page.locator(`[data-chirp="${user.chirps.edges[0].node.id}"] time`).click();
  await bob.page.getByRole('heading', { name: 'Chirp', exact: true }).waitFor();
  await bob.page.getByText('On my profile').waitFor();
  await bob.audit('one chirp');
  await bob.page.goBack();
  await bob.page.getByRole('region', { name: 'Recent chirps' }).waitFor();
  await bob.page.getByLabel('Go to a user by name').fill('nobody_here');
  await bob.page.keyboard.press('Enter');
  await bob.page.getByText('There is no user named nobody_here').waitFor();
  await bob.go('/chirp/nonsense');
  await bob.page.getByText('There is no such chirp').waitFor();
}

// Going back restores the list and the reader's place in it.
async function back({ bob }) {
  const { page } = bob;
  await bob.go('/explore');
  await page.getByRole('region', { name: 'Recent chirps' }).waitFor();
  await toTheEnd(bob);
  const wanted = page.getByText('Page filler 20', { exact: true });
  await wanted.scrollIntoViewIfNeeded();
  const before = await page.evaluate(() => [window.scrollY, document.querySelectorAll('main [data-chirp]').length]);
  await page.locator('[data-chirp]').filter({ has: wanted }).locator('time').click();
  await page.locator('.chirp-alone').waitFor();
  assert.equal(await page.evaluate(() => window.scrollY), 0, 'a new page does not start at the top');
  await page.goBack();
  await wanted.waitFor();
  await page.waitForFunction((y) => Math.abs(window.scrollY - y) < 50, before[0]);
  assert.equal(await page.locator('main [data-chirp]').count(), before[1]);
}

// The content can be reached with the keyboard, past the menu.
async function keyboard({ bob }) {
  const { page } = bob;
  await bob.go('/explore');
  await page.getByRole('region', { name: 'Recent chirps' }).waitFor();
  await page.keyboard.press('Tab');
  await page.getByRole('link', { name: 'Skip to content' }).and(page.locator(':focus')).waitFor();
  await page.keyboard.press('Enter');
  await page.keyboard.press('Tab');
  await page.getByLabel('Go to a user by name').and(page.locator(':focus')).waitFor();
  await page.getByRole('link', { name: 'People' }).focus();
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: 'Explore' }).and(page.locator(':focus')).waitFor();
}

// The server refuses a follow. The page reverts what it showed, and says why.
async function rollback({ bob }) {
  await bob.go('/@carl');
  const refusal = { data: null, errors: [{ message: 'slow down', extensions: { code: 'RATE_LIMITED' } }] };
  const end = await bob.intercept('Follow', (route) => route.fulfill({ json: refusal }));
  const button = bob.page.getByRole('main').getByRole('button', { name: 'Follow carl' });
  await button.click();
  await bob.page.getByRole('main').getByText('Too many requests').waitFor();
  await button.waitFor();
  await bob.page.locator('[data-count=followers]').filter({ hasText: /^0$/ }).waitFor();
  await end();
}

// After a follow the feed is requested with the position of the follow, and contains what
// the followed user posted before.
async function ownReads(ctx) {
  const { bob } = ctx;
  await ctx.carl.post('Carl was here');
  await bob.go('/');
  await bob.page.getByRole('region', { name: 'Your feed' }).waitFor();
  await bob.page.getByRole('link', { name: 'Explore' }).click();
  await bob.page.getByRole('link', { name: 'People' }).click();
  const asked = bob.page.waitForRequest((request) => request.postDataJSON()?.operationName === 'Feed');
  await bob.page.getByRole('button', { name: 'Follow carl' }).click();
  assert.match((await asked).headers()['chirp-read-after'] ?? 'none', /^\d+$/);
  await bob.page.getByRole('link', { name: 'Home' }).click();
  await bob.page.getByRole('region', { name: 'Your feed' }).getByText('Carl was here').waitFor();
}

// The network goes down and comes back.
async function offline(ctx) {
  const { bob } = ctx;
  bob.expectNetworkErrors = true;
  await bob.context.setOffline(true);
  await bob.page.getByText('You are offline').waitFor();
  await bob.context.setOffline(false);
  await bob.connection('live');
  bob.expectNetworkErrors = false;
  await ctx.carl.post('Back again?');
  await bob.page.getByRole('button', { name: '1 new chirp' }).click();
  await bob.page.getByText('Back again?').waitFor();
}

// Bob sees his sessions, and ends them with the keyboard: one, and then all others.
async function sessions(ctx) {
  const { bob, api } = ctx;
  const old = await api.logIn('bob', PASSWORD);
  await api.logIn('bob', PASSWORD);
  await bob.page.getByRole('link', { name: 'Account of bob' }).click();
  const list = bob.page.getByRole('region', { name: 'Sessions' });
  await list.getByText('This one').waitFor();
  assert.equal(await list.getByRole('article').count(), 4); // the browser's, and those of the API
  await list.getByText('127.0.0.1').first().waitFor();
  await bob.audit('the account on a phone');
  await list.getByRole('button', { name: 'End the session on node' }).last().focus(); // the oldest
  await bob.page.keyboard.press('Enter');
  await list.getByText('The session on node has ended').waitFor();
  await list.getByRole('heading', { name: 'Sessions' }).and(bob.page.locator(':focus')).waitFor();
  assert.equal(await list.getByRole('article').count(), 3);
  await assert.rejects(api.ask('{ viewer { id } }', {}, ctx.bobApi.token), /UNAUTHENTICATED/);
  await list.getByRole('button', { name: 'End all other sessions' }).focus();
  await bob.page.keyboard.press('Enter');
  await list.getByText('All other sessions have ended').waitFor();
  assert.equal(await list.getByRole('article').count(), 1);
  await bob.audit('the account with one session');
  await assert.rejects(api.ask('{ viewer { id } }', {}, old.token), /UNAUTHENTICATED/);
}

// Bob changes his password. His second tab goes on with the new session.
async function password(ctx) {
  const { bob, api } = ctx;
  const { page } = bob;
  const second = await bob.context.newPage();
  await second.goto(`${bob.url}/`);
  await second.locator('[data-connection=live]').waitFor();
  await page.getByLabel('Current password').fill('not the password');
  await page.getByLabel('New password').fill(NEW_PASSWORD);
  await page.getByRole('button', { name: 'Change password' }).click();
  await page.getByText('The current password is wrong').waitFor();
  await bob.audit('a wrong current password');
  bob.expectNetworkErrors = true; // the second tab may find its token ended
  await page.getByLabel('Current password').fill(PASSWORD);
  await page.getByRole('button', { name: 'Change password' }).click();
  await page.getByText('Your password is changed').and(page.locator(':focus')).waitFor();
  await page.getByRole('region', { name: 'Sessions' }).getByText('This one').waitFor();
  await bob.audit('a changed password');
  await second.locator('[data-connection=live]').waitFor();
  await second.getByLabel('Write a chirp').waitFor();
  const token = () => localStorage.getItem('chirp-token');
  assert.equal(await second.evaluate(token), await page.evaluate(token));
  await second.close();
  bob.expectNetworkErrors = false;
  await assert.rejects(api.logIn('bob', PASSWORD), /UNAUTHENTICATED/);
  ctx.bobApi = await api.logIn('bob', NEW_PASSWORD);
}

// Ada's session is ended elsewhere while she writes. She logs in again, and her draft is
// still there.
async function endedElsewhere(ctx) {
  const { ada, api } = ctx;
  await ada.go('/');
  await ada.connection('live');
  await ada.page.getByLabel('Write a chirp').fill('Another half a thought');
  ada.expectNetworkErrors = true;
  await api.ask('mutation { endAllSessions(input: {keepCurrent: true}) { user { id } } }', {}, ctx.adaApi.token);
  await ada.page.getByText('Your session has ended').waitFor();
  await ada.page.getByLabel('Name').fill('ada');
  await ada.page.getByLabel('Password').fill(PASSWORD);
  await ada.page.getByRole('button', { name: 'Log in' }).click();
  await ada.page.getByLabel('Write a chirp').waitFor();
  assert.equal(await ada.page.getByLabel('Write a chirp').inputValue(), 'Another half a thought');
  ada.expectNetworkErrors = false;
}

// Ada logs out, which ends her session on the server. An address that would lead her to
// another site after the log-in leads home.
async function leaving(ctx) {
  const { ada, api } = ctx;
  const token = await ada.page.evaluate(() => localStorage.getItem('chirp-token'));
  await ada.page.getByRole('button', { name: 'Log out ada' }).click();
  await ada.page.getByRole('link', { name: 'Log in' }).first().waitFor();
  assert.equal(await ada.page.getByText('Your session has ended').count(), 0);
  await assert.rejects(api.ask('{ viewer { id } }', {}, token), /UNAUTHENTICATED/);
  for (const next of ['//evil.example/', '/\\evil.example/', '/\t/evil.example/', 'https://evil.example/', 'javascript:alert(1)', '/.//evil.example/']) {
    await ada.submitEntryForm(`/login?next=${encodeURIComponent(next)}`, 'ada', PASSWORD);
    assert.equal(ada.page.url(), `${ada.url}/`, next);
    await ada.page.evaluate(() => localStorage.removeItem('chirp-token'));
  }
}

// Bob's token expires while he reads. He logs in again and returns to the same page, and
// his draft is still there.
async function expiry(ctx) {
  const { bob, secret } = ctx;
  await bob.go('/');
  await bob.page.getByLabel('Write a chirp').fill('Half a thought');
  bob.expectNetworkErrors = true; // the browser logs every 401
  const token = withExpiry(ctx.bobApi.token, secret, Date.now() + 10_000);
  await bob.page.evaluate((fresh) => localStorage.setItem('chirp-token', fresh), token);
  await bob.go('/@ada');
  await bob.page.locator('[data-count=followers]').waitFor();
  await bob.page.getByText('Your session has ended').waitFor();
  await bob.audit('an ended session');
  await bob.page.getByLabel('Name').fill('bob');
  await bob.page.getByLabel('Password').fill(NEW_PASSWORD);
  await bob.page.getByRole('button', { name: 'Log in' }).click();
  await bob.page.waitForURL('**/@ada');
  await bob.page.getByRole('link', { name: 'Home' }).click();
  assert.equal(await bob.page.getByLabel('Write a chirp').inputValue(), 'Half a thought');
  bob.expectNetworkErrors = false;
}
