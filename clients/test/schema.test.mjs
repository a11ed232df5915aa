// The schema that is served, as tools see it.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { buildClientSchema, buildSchema, getIntrospectionQuery, lexicographicSortSchema, printSchema, validateSchema } from 'graphql';
import { ask } from '../lib/chirp.mjs';

// A served schema has no comments, and its words may be broken into other lines.
const text = (schema) => printSchema(lexicographicSortSchema(schema));

test('what is served is schema.graphql, with every description', async () => {
  const kept = buildSchema(readFileSync(new URL('../../schema.graphql', import.meta.url), 'utf8'));
  assert.deepEqual(validateSchema(kept), []);
  const served = buildClientSchema(await ask(getIntrospectionQuery({ specifiedByUrl: true, inputValueDeprecation: true })));
  assert.equal(text(served), text(kept));
});
