// Compares schema.graphql with an earlier version and fails if a change breaks clients.
// The earlier version is that of the commit in CHIRP_SCHEMA_BASE; by default, the commit
// where this branch left main or, on main itself, the previous commit.
//
// To make an intended breaking change, add its message, as printed by this program, as a
// line of schema-breaks.txt in the same change. The lines remain as a record of breaking
// changes; only new lines permit anything.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { CriticalityLevel, diff } from '@graphql-inspector/core';
import { buildSchema } from 'graphql';

const root = fileURLToPath(new URL('..', import.meta.url));
const SCHEMA = 'schema.graphql';
const BREAKS = 'clients/schema-breaks.txt';

function git(...args) {
  try {
    return execFileSync('git', ['-C', root, ...args], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
  } catch {
    return undefined;
  }
}

function base() {
  if (process.env.CHIRP_SCHEMA_BASE) {
    const named = git('rev-parse', '--verify', `${process.env.CHIRP_SCHEMA_BASE}^{commit}`);
    if (!named) throw new Error(`CHIRP_SCHEMA_BASE is ${process.env.CHIRP_SCHEMA_BASE}, which is not a commit`);
    return named;
  }
  const head = git('rev-parse', 'HEAD');
  for (const main of ['origin/main', 'main']) {
    const left = git('merge-base', main, 'HEAD');
    if (left && left !== head) return left;
  }
  return git('rev-parse', '--verify', 'HEAD~1');
}

// intended returns the lines of the record, without comments.
function intended(text) {
  return text.split('\n').map((line) => line.trim()).filter((line) => line && !line.startsWith('#'));
}

async function main() {
  const from = base();
  const before = from && git('show', `${from}:${SCHEMA}`);
  if (!before) {
    console.log(`There is no earlier ${SCHEMA} to compare with${from ? ` in ${from}` : ', because the history is missing'}. Nothing was compared.`);
    return 0;
  }
  const changes = await diff(buildSchema(before), buildSchema(readFileSync(`${root}/${SCHEMA}`, 'utf8')));
  const old = intended(git('show', `${from}:${BREAKS}`) ?? '');
  const allowed = intended(readFileSync(`${root}/${BREAKS}`, 'utf8')).filter((line) => !old.includes(line));
  const breaks = changes.filter((c) => c.criticality.level === CriticalityLevel.Breaking);
  const refused = breaks.filter((c) => !allowed.includes(c.message));
  console.log(`Since ${from.slice(0, 10)}, ${changes.length} changes to ${SCHEMA}, ${breaks.length} of them breaking and ${refused.length} not intended.`);
  for (const c of breaks) {
    console.log(`${refused.includes(c) ? 'BREAKS CLIENTS' : 'intended'}: ${c.message}`);
    if (refused.includes(c) && c.criticality.reason) console.log(`  ${c.criticality.reason}`);
  }
  if (refused.length > 0) console.log(`If the break is intended, add each message as a line of ${BREAKS}.`);
  return refused.length > 0 ? 1 : 0;
}

process.exitCode = await main();
