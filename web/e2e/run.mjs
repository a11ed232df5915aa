// Tells the story (story.mjs) against a server on each store, and measures the first
// load. With --shots it takes pictures of each screen into shots/ instead. The program
// may be given by CHIRP_TEST_PROGRAM; else it is built.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { run, start, stopAll } from '../../clients/lib/processes.mjs';
import { open } from './lib/browser.mjs';
import { freePort, Server } from './lib/programs.mjs';
import { measure } from './measure.mjs';
import { shots } from './shots.mjs';
import { FLAGS, story } from './story.mjs';

const root = fileURLToPath(new URL('../..', import.meta.url));
const scratch = mkdtempSync(path.join(tmpdir(), 'chirp-web-'));
const secret = 'a secret that is known to this test only';
const failures = [];
let browser;

async function main() {
  const program = process.env.CHIRP_TEST_PROGRAM ?? (await build('chirp', '.'));
  browser = await open();
  const embedded = ['--data', path.join(scratch, 'data')];
  if (process.argv.includes('--shots')) return on('the embedded store', program, embedded, shots);
  await on('the embedded store', program, embedded, tell);
  if (process.argv.includes('--embedded')) return;
  const mongod = await start(process.env.CHIRP_TEST_SERVEMONGOD ?? (await build('servemongod', './internal/storage/mongodb/mongotest/servemongod')), [], /^(mongodb:\S+)$/m, { cwd: root });
  await on('MongoDB', program, ['--mongodb-uri', mongod.match[1]], tell);
  await mongod.stop();
}

async function build(name, folder) {
  const target = path.join(scratch, name);
  const { code } = await run('go', ['build', '-o', target, folder], { cwd: root });
  if (code !== 0) throw new Error(`go build ${folder} ended with ${code}`);
  return target;
}

// on runs a server on a store, and something against it.
async function on(store, program, flags, what) {
  console.log(`\n--- on ${store}`);
  const server = new Server(program, [...flags, ...FLAGS, '--token-secret', secret], await freePort());
  await server.start();
  await what(browser, server);
  const broken = await server.stop();
  if (broken.length) failures.push(`the server's log on ${store}:\n${broken.join('\n')}`);
}

async function tell(_, server) {
  const complaints = await story(browser, server, secret, (text) => console.log(`ok: ${text}`));
  complaints.push(...(await measure(browser, server)));
  if (complaints.length) failures.push(`pages complained:\n${complaints.join('\n')}`);
}

// last keeps how the pages looked when something failed.
async function last() {
  const pages = browser?.contexts().flatMap((context) => context.pages()) ?? [];
  for (const [i, page] of pages.entries()) await page.screenshot({ path: path.join(root, 'web', 'shots', `failed-${i}.png`) }).catch(() => {});
}

async function end(error) {
  if (error) {
    failures.push(error.stack ?? String(error));
    await last();
  }
  await browser?.close().catch(() => {});
  await stopAll();
  rmSync(scratch, { recursive: true, force: true });
  for (const failure of failures) console.error(`\nFAILED ${failure}`);
  if (!failures.length) console.log('\nAll is well.');
  process.exit(failures.length ? 1 : 0);
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.once(signal, () => end(new Error(`stopped by ${signal}`)));
process.once('uncaughtException', end);
main().then(() => end(), end);
