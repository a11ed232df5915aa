// The protocol audits, where they lie beside the checkout: they are not the project's,
// and bring no packages along.
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

// audit runs a program until its end, and wants its total.
async function audit(program, total, ...args) {
  copyFileSync(path.join(tools, program), path.join(folder, program));
  const { code, text } = await run('node', [program, ...args], { cwd: folder });
  assert.match(text, new RegExp(`^TOTAL: ${total}$`, 'm'));
  assert.equal(code, 0);
}

const skip = (program) => !existsSync(path.join(tools, program)) && `${program} is not in ${tools}: NOT AUDITED`;

test('GraphQL over HTTP: 61 of 61', { skip: skip('audit.mjs') }, () => audit('audit.mjs', '61/61', url));

test('graphql-transport-ws: 29 of 29', { skip: skip('ws-protocol.mjs') }, async () => {
  const { reader, author } = await pair();
  const cursor = await newest(author, await post(author, 'chirp 0'));
  await post(author, ...texts(1, 4)); // what a subscription after the cursor begins with
  await audit(
    'ws-protocol.mjs', '29/29', wsUrl, `subscription { feedChirpAdded(after: "${cursor}") { cursor } }`,
    '--init', JSON.stringify({ authorization: reader.authorization }),
    '--deny', JSON.stringify({ authorization: 'Bearer nonsense' }),
  );
});
