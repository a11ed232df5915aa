// Third-party protocol audits, if they are beside the checkout. They are not part of the
// project, and use the packages installed here.
import assert from 'node:assert/strict';
import { copyFileSync, existsSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { run } from '../lib/processes.mjs';
import { newest, pair, post, texts, url, wsUrl } from '../lib/chirp.mjs';

const packages = fileURLToPath(new URL('../node_modules', import.meta.url));
const tools = fileURLToPath(new URL('../../../shared/tools', import.meta.url));
const folder = mkdtempSync(path.join(tmpdir(), 'chirp-audits-'));
symlinkSync(packages, path.join(folder, 'node_modules'));
after(() => rmSync(folder, { recursive: true }));

function start(program, ...args) {
  copyFileSync(path.join(tools, program), path.join(folder, program));
  return run('node', [program, ...args], { cwd: folder });
}

// audit runs a program and checks its total.
async function audit(program, total, ...args) {
  const { code, text } = await start(program, ...args);
  assert.match(text, new RegExp(`^TOTAL: ${total}$`, 'm'));
  assert.equal(code, 0);
}

const skip = (program) => !existsSync(path.join(tools, program)) && `${program} is not in ${tools}: NOT AUDITED`;

// The 22 of the 61 older audits of GraphQL over HTTP that check what the specification no
// longer says, by id. They follow a draft from before it said 422, in which a client that
// accepts only application/json received 200 for every request; graphql-over-http.test.mjs
// has the current sentences. Each of these is a MAY or a SHOULD.
const NOT_WELL_FORMED = '400 for parameters that are missing or of the wrong type; now "If the request is not a well-formed GraphQL-over-HTTP request, status code 422 SHOULD be used"';
const LEGACY = '200 for application/json; now "If the GraphQL response does not contain the data entry then the server MUST reply with an appropriate 4xx or 5xx status code", whatever the media type';
const DIFFERENCES = {
  // No query; a misspelt query; and query, operationName, variables and extensions, each
  // with four wrong types.
  ...Object.fromEntries(['423L', '3E3A', ...['LKJ', '6C0', '476', '58B'].flatMap((id) => [0, 1, 2, 3].map((n) => id + n))].map((id) => [id, NOT_WELL_FORMED])),
  '572B': LEGACY,
  'FDE2': LEGACY,
  '7B9B': LEGACY,
  '86EE': '400 for an (unused) variable that cannot be coerced; now "If the request does not pass GraphQL validation, status code 422 SHOULD be used"',
};

test('GraphQL over HTTP: the older audits, except for the explained differences', { skip: skip('audit.mjs') }, async () => {
  const { text } = await start('audit.mjs', url);
  const failed = [...text.matchAll(/^FAIL (\S+) (.*)$/gm)];
  assert.deepEqual(failed.map(([, id]) => id).sort(), Object.keys(DIFFERENCES).sort(), failed.map(([line]) => line).join('\n'));
  for (const [line] of failed) assert.doesNotMatch(line, / MUST /);
  assert.match(text, new RegExp(`^TOTAL: ${61 - failed.length}/61$`, 'm'));
});

test('graphql-transport-ws: 29 of 29', { skip: skip('ws-protocol.mjs') }, async () => {
  const { reader, author } = await pair();
  const cursor = await newest(author, await post(author, 'chirp 0'));
  await post(author, ...texts(1, 4)); // a subscription after the cursor starts with these
  await audit(
    'ws-protocol.mjs', '29/29', wsUrl, `subscription { feedChirpAdded(after: "${cursor}") { cursor } }`,
    '--init', JSON.stringify({ authorization: reader.authorization }),
    '--deny', JSON.stringify({ authorization: 'Bearer nonsense' }),
  );
});
