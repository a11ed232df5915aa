// The graphql-sse client, in the mode of a connection for each operation.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createClient } from 'graphql-sse';
import { newest, pair, post, register, resumes, texts, url } from '../lib/chirp.mjs';

const LIVE = 'subscription Live($after: String) { feedChirpAdded(after: $after) { cursor node { content } } }';

// connect makes a client of a user, for as long as a test takes.
function connect(t, user, options) {
  const client = createClient({ url, headers: { authorization: user.authorization }, retryAttempts: 0, ...options });
  t.after(() => client.dispose());
  return client;
}

test('queries and commands are answered by one event', async (t) => {
  const author = await register();
  const client = connect(t, author);
  const answers = [];
  for (const query of ['mutation { postChirp(input: { content: "by an event" }) { chirp { content } } }', '{ viewer { username } }']) {
    for await (const answer of client.iterate({ query })) answers.push(answer.data);
  }
  assert.deepEqual(answers, [{ postChirp: { chirp: { content: 'by an event' } } }, { viewer: { username: author.username } }]);
});

test('a subscription can be iterated, from a cursor on', async (t) => {
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

test('a subscription whose line is cut again and again goes on by cursor, without a gap or a duplicate', (t) => {
  return resumes(t, ({ reader, cable, variables, next, fault }) => {
    connect(t, reader, { url: cable.url, retryAttempts: 100, retry: async () => {} }).subscribe({ query: LIVE, variables }, {
      next: ({ data }) => next(data.feedChirpAdded),
      error: fault,
      complete: () => fault('complete'),
    });
  });
});

test('a subscription that is refused gives its code', async (t) => {
  const client = connect(t, await register());
  const answers = [];
  for await (const answer of client.iterate({ query: LIVE, variables: { after: 'nonsense' } })) answers.push(answer);
  assert.deepEqual(answers.map((a) => a.errors?.[0].extensions.code), ['CURSOR_INVALID'], JSON.stringify(answers));
});
