// Runs the tests in test/ and the examples against a server on each store. Arguments name
// the tests to run instead, such as test/urql.test.mjs. Every process that it starts has
// ended when it exits.
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { run, start, stopAll } from './lib/processes.mjs';

const here = fileURLToPath(new URL('.', import.meta.url));
const root = path.join(here, '..');
const named = process.argv.slice(2);
const tests = named.length ? named : readdirSync(path.join(here, 'test')).filter((f) => f.endsWith('.test.mjs')).map((f) => `test/${f}`);
const scratch = mkdtempSync(path.join(tmpdir(), 'chirp-clients-'));
const failures = [];

async function main() {
  const server = await build('chirp', '.');
  const mongod = await build('servemongod', './internal/storage/mongodb/mongotest/servemongod');
  await against('the embedded store', server, ['--data', path.join(scratch, 'data')]);
  const mongodb = await start(mongod, [], /^(mongodb:\S+)$/m, { cwd: root });
  await against('MongoDB', server, ['--mongodb-uri', mongodb.match[1]]);
  await mongodb.stop();
}

async function build(name, folder) {
  const target = path.join(scratch, name);
  const { code } = await run('go', ['build', '-o', target, folder], { cwd: root });
  if (code !== 0) throw new Error(`go build ${folder} ended with ${code}`);
  return target;
}

// against starts a server on a store and runs the tests and examples against it.
async function against(store, program, flags) {
  console.log(`\n--- on ${store}`);
  const server = await start(program, [...flags, '--addr', '127.0.0.1:0', '--rate-limit', '0'], /msg=listening url=(\S+)/);
  const url = server.match[1];
  await ready(url);
  const env = { ...process.env, CHIRP_URL: url };
  await check(`the clients on ${store}`, 'node', ['--test', '--test-timeout=120000', '--test-reporter=spec', ...tests], { cwd: here, env });
  if (!named.length) {
    await check(`the example with Apollo Client on ${store}`, 'node', ['apollo.mjs'], { cwd: path.join(root, 'examples'), env });
    await check(`the typed example on ${store}`, 'npm', ['run', '--silent', 'typed'], { cwd: path.join(root, 'examples'), env });
    await check(`the example with curl on ${store}`, './curl.sh', [], { cwd: path.join(root, 'examples'), env });
  }
  await server.stop();
  const broken = server.log().match(/^.*(?:level=ERROR|panic).*$/gm) ?? [];
  if (broken.length) failures.push(`the server's log on ${store}:\n${broken.join('\n')}`);
}

async function ready(url) {
  const deadline = Date.now() + 60_000;
  for (;;) {
    const answer = await fetch(new URL('/readyz', url));
    const text = await answer.text();
    if (answer.ok) return;
    if (Date.now() > deadline) throw new Error(`the server did not become ready: ${text}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

async function check(what, command, args, options) {
  console.log(`\n--- ${what}`);
  const { code } = await run(command, args, options);
  if (code !== 0) failures.push(`${what}: exit code ${code}`);
}

let ending = false;

async function end(error) {
  if (ending) return;
  ending = true;
  await stopAll();
  rmSync(scratch, { recursive: true, force: true });
  if (error) failures.push(error.stack ?? String(error));
  for (const failure of failures) console.error(`\nFAILED ${failure}`);
  if (!failures.length) console.log('\nAll clients work with the server.');
  process.exit(failures.length ? 1 : 0);
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.once(signal, () => end(new Error(`stopped by ${signal}`)));
process.once('uncaughtException', end);
main().then(() => end(), end);
