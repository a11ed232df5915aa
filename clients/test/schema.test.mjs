// The served schema, as tools see it: current ones, and older and stricter ones, which
// reject what they do not know.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import * as today from 'graphql';
import * as old from 'graphql-15';
import { ask } from '../lib/chirp.mjs';

const path = fileURLToPath(new URL('../../schema.graphql', import.meta.url));
const written = readFileSync(path, 'utf8');
const everything = { descriptions: true, schemaDescription: true, directiveIsRepeatable: true, inputValueDeprecation: true };

// graphql-js 15 treats @oneOf as a custom directive, and knows specifiedBy URLs only under
// their name in an earlier draft.
const oneOf = '"""Indicates exactly one field must be supplied and this field must not be `null`."""\ndirective @oneOf on INPUT_OBJECT\n';
const asOf15 = oneOf + written.replace(/ @specifiedBy\(url: "[^"]*"\)/g, '');

// The libraries, the options of their introspection queries, and the schema as they know it.
const libraries = [
  ['graphql-js 16', today, { ...everything, specifiedByUrl: true, oneOf: true }, written],
  ['graphql-js 15', old, everything, asOf15],
];

for (const [name, { buildClientSchema, buildSchema, getIntrospectionQuery, lexicographicSortSchema, printSchema, validateSchema }, options, known] of libraries) {
  // The served schema has no comments, and its descriptions may be wrapped differently.
  const text = (schema) => printSchema(lexicographicSortSchema(schema));

  test(`${name}: the served schema is schema.graphql, with every description`, async () => {
    const kept = buildSchema(known);
    assert.deepEqual(validateSchema(kept), []);
    const served = buildClientSchema(await ask(getIntrospectionQuery(options)));
    assert.deepEqual(validateSchema(served), []);
    assert.equal(text(served), text(kept));
  });
}

test('graphql-core for Python builds the same schema from both', async () => {
  const data = await ask(today.getIntrospectionQuery({ ...everything, specifiedByUrl: true }));
  const python = spawnSync('python3', [fileURLToPath(new URL('../lib/strict.py', import.meta.url)), path], {
    input: JSON.stringify(data),
    encoding: 'utf8',
    env: { ...process.env, PYTHONPATH: fileURLToPath(new URL('../python', import.meta.url)) },
  });
  assert.equal(python.status, 0, python.error?.message ?? python.stderr);
});
