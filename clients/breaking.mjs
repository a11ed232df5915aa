// Compares schema.graphql with what it was before and fails when a change would
// break clients. "Before" is the commit that CHIRP_SCHEMA_BASE names, and
// otherwise where this branch left main; on main itself, the commit before.
//
// A break that is intended is made by writing the change, in the words that this
// program has for it, as a line of schema-breaks.txt in the same change. The lines
// stay there as a record of what was broken; only new ones allow anything.
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
    if (!named) throw new Error(`CHIRP_SCHEMA_BASE is ${process.env.CHIRP_SCHEMA_BASE}, and there is no such commit`);
    return named;
  }
  const head = git('rev-parse', 'HEAD');
  for (const main of ['origin/main', 'main']) {
    const left = git('merge-base', main, 'HEAD');
    if (left && left !== head) return left;
  }
  return git('rev-parse', '--verify', 'HEAD~1');
}

// intended gives the lines of the record, without its comments.
function intended(text) {
  return text.split('\n').map((line) => line.trim()).filter((line) => line && !line.startsWith('#'));
}

async function main() {
  const from = base();
  const before = from && git('show', `${from}:${SCHEMA}`);
  if (!before) {
    console.log(`There is no earlier ${SCHEMA} to compare with${from ? ` in ${from}` : ': the history is not here'}. Nothing was compared.`);
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
  if (refused.length > 0) console.log(`If it must be, put the messages into ${BREAKS}, a line each.`);
  return refused.length > 0 ? 1 : 0;
}

process.exitCode = await main();
