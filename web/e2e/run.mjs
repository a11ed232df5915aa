// Runs the scenario (scenario.mjs) against a server on each store, and measures the first
// load. With --shots it takes screenshots of each screen into shots/ instead. The server
// is built unless CHIRP_TEST_PROGRAM names one.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { run, start, stopAll } from '../../clients/lib/processes.mjs';
import { launch } from './lib/browser.mjs';
import { freePort, Server } from './lib/programs.mjs';
import { measure } from './measure.mjs';
import { shots } from './shots.mjs';
import { FLAGS, scenario } from './scenario.mjs';

const root = fileURLToPath(new URL('../..', import.meta.url));
const scratch = mkdtempSync(path.join(tmpdir(), 'chirp-web-'));
const secret = 'a secret that only this test knows';
const failures = [];
let browser;

async function main() {
  const program = process.env.CHIRP_TEST_PROGRAM ?? (await build('chirp', '.'));
  browser = await launch();
  const embedded = ['--data', path.join(scratch, 'data')];
  if (process.argv.includes('--shots')) return on('the embedded store', program, embedded, shots);
  await on('the embedded store', program, embedded, runScenario);
  if (process.argv.includes('--embedded')) return;
  const mongod = await start(process.env.CHIRP_TEST_SERVEMONGOD ?? (await build('servemongod', './internal/storage/mongodb/mongotest/servemongod')), [], /^(mongodb:\S+)$/m, { cwd: root });
  await on('MongoDB', program, ['--mongodb-uri', mongod.match[1]], runScenario);
  await mongod.stop();
}

async function build(name, folder) {
  const target = path.join(scratch, name);
  const { code } = await run('go', ['build', '-o', target, folder], { cwd: root });
  if (code !== 0) throw new Error(`go build ${folder} ended with ${code}`);
  return target;
}

// on starts a server on a store and runs a check against it.
async function on(store, program, flags, check) {
  console.log(`\n--- on ${store}`);
  const server = new Server(program, [...flags, ...FLAGS, '--token-secret', secret], await freePort());
  await server.start();
  await check(browser, server);
  const broken = await server.stop();
  if (broken.length) failures.push(`the server's log on ${store}:\n${broken.join('\n')}`);
}

async function runScenario(_, server) {
  const problems = await scenario(browser, server, secret, (text) => console.log(`ok: ${text}`));
  problems.push(...(await measure(browser, server)));
  if (problems.length) failures.push(`problems on the pages:\n${problems.join('\n')}`);
}

// screenshotFailure saves screenshots of all pages as they were when something failed.
async function screenshotFailure() {
  const pages = browser?.contexts().flatMap((context) => context.pages()) ?? [];
  for (const [i, page] of pages.entries()) await page.screenshot({ path: path.join(root, 'web', 'shots', `failed-${i}.png`) }).catch(() => {});
}

async function end(error) {
  if (error) {
    failures.push(error.stack ?? String(error));
    await screenshotFailure();
  }
  await browser?.close().catch(() => {});
  await stopAll();
  rmSync(scratch, { recursive: true, force: true });
  for (const failure of failures) console.error(`\nFAILED ${failure}`);
  if (!failures.length) console.log('\nAll checks passed.');
  process.exit(failures.length ? 1 : 0);
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.once(signal, () => end(new Error(`stopped by ${signal}`)));
process.once('uncaughtException', end);
main().then(() => end(), end);
