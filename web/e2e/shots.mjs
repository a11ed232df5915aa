// Screenshots of each screen, on a phone and on a desktop, in light and dark mode.
import { mkdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Api } from './lib/api.mjs';
import { Visitor } from './lib/browser.mjs';

const folder = fileURLToPath(new URL('../shots/', import.meta.url));
const SIZES = { phone: { width: 390, height: 844 }, desk: { width: 1280, height: 860 } };

const TEXTS = [
  ['mira', 'First frost on the allotment this morning. The kale does not mind, I do.'],
  ['tobias', 'Rewrote the deploy script for the third time. It is now 11 lines and I trust every one of them.'],
  ['noor_b', 'Anyone up for a walk along the canal on Sunday? @mira @tobias'],
  ['juno', 'Small joys: a library that has the book, on the shelf, where the catalogue says.'],
  ['mira', 'Recipe of the week: leek, potato, too much pepper.\nServes two, or one twice.'],
  ['kestrel', 'Notes from the ringing station: 14 goldfinches, 3 siskins, one very cross blue tit. https://example.org/ringing/notes'],
  ['tobias', 'TIL the café downstairs opens at six. This changes everything ☕'],
  ['juno', 'Reading about tides. The moon is doing a lot of work for no pay.'],
];

const LIVE = [
  ['The robin is back, and it has opinions.', 'Rain at last.', 'Good evening.'],
  ['Borrowed a ladder. Returned it. Nobody fell.', 'New moon tonight, so the beach is wide.', 'Tea first.'],
  ['Somebody has labelled every shelf in the shed. It was me, in March.', 'Page 300 and still no murder.', 'Home by train, the slow one.'],
  ['The last tomatoes are green and proud of it.', 'Fog on the estuary until ten.', 'Off to bed.'],
];
let round = 0;

/** Fills a server with sample data and takes the screenshots. */
export async function shots(browser, server) {
  mkdirSync(folder, { recursive: true });
  const api = new Api(server.url);
  const people = await fill(api);
  for (const [size, viewport] of Object.entries(SIZES)) {
    for (const colorScheme of ['light', 'dark']) {
      const options = { viewport, colorScheme, deviceScaleFactor: 1 };
      const anonymous = await Visitor.open(browser, server.url, options);
      const take = async (visitor, name) => {
        await visitor.waitForAnimations();
        await visitor.page.screenshot({ path: `${folder}${name}-${size}-${colorScheme}.png` });
      };
      await anonymousScreens(anonymous, take);
      await anonymous.context.close();
      const viewer = await Visitor.open(browser, server.url, options);
      await viewer.logInAs(people.ines);
      await screens(viewer, people, take);
      await viewer.context.close();
    }
  }
}

async function fill(api) {
  const people = {};
  for (const name of ['kestrel', 'juno', 'noor_b', 'tobias', 'mira', 'ines']) people[name] = await api.register(name);
  for (const name of ['kestrel', 'juno', 'noor_b', 'tobias', 'mira']) {
    await people.ines.follow(people[name]);
    if (name !== 'mira') await people[name].follow(people.mira);
  }
  for (const [name, text] of TEXTS) await people[name].post(text);
  people.quiet = await api.register(`quiet_${Date.now() % 1000}`);
  return people;
}

async function anonymousScreens(visitor, take) {
  await visitor.go('/');
  await visitor.page.locator('[data-chirp]').first().waitFor();
  await take(visitor, 'welcome');
  await visitor.go('/register');
  await visitor.page.getByLabel('Name').waitFor();
  await take(visitor, 'register');
  await visitor.go('/login?next=/@mira');
  await visitor.page.getByLabel('Name').fill('mira');
  await visitor.page.getByLabel('Password').fill('not the password');
  await visitor.page.getByRole('button', { name: 'Log in' }).click();
  await visitor.page.getByText('is wrong').waitFor();
  await take(visitor, 'login-wrong');
}

async function screens(visitor, people, take) {
  const { page } = visitor;
  await page.locator('[data-chirp]').first().waitFor();
  await visitor.connection('live');
  await take(visitor, 'home');
  const [first, second, own] = LIVE[round++ % LIVE.length];
  await people.mira.post(first);
  await people.juno.post(second);
  await page.getByRole('button', { name: '2 new chirps' }).waitFor();
  await page.getByLabel('Write a chirp').fill(`${'A long thought that goes on. '.repeat(9)}And on, and on, and on.`);
  await take(visitor, 'home-pill');
  await page.getByLabel('Write a chirp').fill(own);
  await page.getByRole('button', { name: 'Chirp', exact: true }).click();
  await page.locator('.own').getByText(own).waitFor();
  await take(visitor, 'home-posted');
  await people.ines.api.logIn('ines', people.ines.password);
  for (const [name, path, ready] of [
    ['profile', '/@mira', '[data-chirp]'],
    ['followers', '/@mira/followers', '.user'],
    ['explore', '/explore', '[data-chirp]'],
    ['people', '/explore/people', 'main .user'],
    ['account', '/account', '.session'],
    ['not-found', '/@nobody', '.empty'],
  ]) {
    await visitor.go(path);
    await page.locator(ready).first().waitFor();
    await page.locator('[data-connection=live]').waitFor();
    await take(visitor, name);
  }
  await visitor.go('/explore');
  await page.locator('[data-chirp] time').first().click();
  await page.locator('.chirp-alone').waitFor();
  await take(visitor, 'chirp');
  await visitor.logInAs(people.quiet);
  await page.getByText('Follow someone').waitFor();
  await take(visitor, 'home-empty');
}
