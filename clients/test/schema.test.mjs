// The schema that is served, as tools see it: those of today, and stricter ones of
// years ago, which refuse what they do not know.
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

// To graphql-js 15 @oneOf is a directive of the server's own, and it asks for the
// addresses of scalars' specifications by a name that was only a draft's.
const oneOf = '"""Indicates exactly one field must be supplied and this field must not be `null`."""\ndirective @oneOf on INPUT_OBJECT\n';
const asOf15 = oneOf + written.replace(/ @specifiedBy\(url: "[^"]*"\)/g, '');

// Libraries, what their introspection queries ask, and the schema that they know.
const libraries = [
  ['graphql-js 16', today, { ...everything, specifiedByUrl: true, oneOf: true }, written],
  ['graphql-js 15', old, everything, asOf15],
];

for (const [name, { buildClientSchema, buildSchema, getIntrospectionQuery, lexicographicSortSchema, printSchema, validateSchema }, options, known] of libraries) {
  // A served schema has no comments, and its words may be broken into other lines.
  const text = (schema) => printSchema(lexicographicSortSchema(schema));

  test(`${name}: what is served is schema.graphql, with every description`, async () => {
    const kept = buildSchema(known);
    assert.deepEqual(validateSchema(kept), []);
    const served = buildClientSchema(await ask(getIntrospectionQuery(options)));
    assert.deepEqual(validateSchema(served), []);
    assert.equal(text(served), text(kept));
  });
}

test('graphql-core, for Python, builds the same schema from both', async () => {
  const data = await ask(today.getIntrospectionQuery({ ...everything, specifiedByUrl: true }));
  const python = spawnSync('python3', [fileURLToPath(new URL('../lib/strict.py', import.meta.url)), path], {
    input: JSON.stringify(data),
    encoding: 'utf8',
    env: { ...process.env, PYTHONPATH: fileURLToPath(new URL('../python', import.meta.url)) },
  });
  assert.equal(python.status, 0, python.error?.message ?? python.stderr);
});
