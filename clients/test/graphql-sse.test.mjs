// The graphql-sse client, in distinct connections mode.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createClient } from 'graphql-sse';
import { newest, pair, post, register, resumes, texts, url } from '../lib/chirp.mjs';

const LIVE = 'subscription Live($after: String) { feedChirpAdded(after: $after) { cursor node { content } } }';

// connect returns a client for a user, which is disposed when the test ends.
function connect(t, user, options) {
  const client = createClient({ url, headers: { authorization: user.authorization }, retryAttempts: 0, ...options });
  t.after(() => client.dispose());
  return client;
}

test('a query or mutation receives one event', async (t) => {
  const author = await register();
  const client = connect(t, author);
  const results = [];
  for (const query of ['mutation { postChirp(input: { content: "by an event" }) { chirp { content } } }', '{ viewer { username } }']) {
    for await (const result of client.iterate({ query })) results.push(result.data);
  }
  assert.deepEqual(results, [{ postChirp: { chirp: { content: 'by an event' } } }, { viewer: { username: author.username } }]);
});

test('a subscription can be iterated, starting after a cursor', async (t) => {
  const { reader, author } = await pair();
  const after = await newest(author, await post(author, 'chirp 0'));
  const client = connect(t, reader);
  const got = [];
  await post(author, ...texts(1, 4));
  for await (const { data } of client.iterate({ query: LIVE, variables: { after } })) {
    got.push(data.feedChirpAdded.node.content);
    if (got.length === 3) post(author, ...texts(4, 6));
    if (got.length === 5) break;
  }
  assert.deepEqual(got, texts(1, 6));
});

test('a subscription whose connection is cut repeatedly resumes by cursor, without gaps or duplicates', (t) => {
  return resumes(t, ({ reader, proxy, variables, next, fault }) => {
    connect(t, reader, { url: proxy.url, retryAttempts: 100, retry: async () => {} }).subscribe({ query: LIVE, variables }, {
      next: ({ data }) => next(data.feedChirpAdded),
      error: fault,
      complete: () => fault('complete'),
    });
  });
});

test('a refused subscription returns its code', async (t) => {
  const client = connect(t, await register());
  const results = [];
  for await (const result of client.iterate({ query: LIVE, variables: { after: 'nonsense' } })) results.push(result);
  assert.deepEqual(results.map((a) => a.errors?.[0].extensions.code), ['CURSOR_INVALID'], JSON.stringify(results));
});
