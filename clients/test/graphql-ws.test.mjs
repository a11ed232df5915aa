// The graphql-ws client, on a line that is cut.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createClient } from 'graphql-ws';
import WebSocket from 'ws';
import { register, resumes, wsUrl } from '../lib/chirp.mjs';

const LIVE = 'subscription Live($after: String) { feedChirpAdded(after: $after) { cursor node { content } } }';

// connect makes a client of a user, for as long as a test takes.
function connect(t, user, options) {
  const client = createClient({ url: wsUrl, webSocketImpl: WebSocket, connectionParams: { authorization: user.authorization }, ...options });
  t.after(() => client.dispose());
  return client;
}

test('queries and commands go through the socket', async (t) => {
  const author = await register();
  const client = connect(t, author);
  const answers = [];
  for (const query of ['mutation { postChirp(input: { content: "over a socket" }) { chirp { content } } }', '{ viewer { username } }']) {
    for await (const answer of client.iterate({ query })) answers.push(answer.data);
  }
  assert.deepEqual(answers, [{ postChirp: { chirp: { content: 'over a socket' } } }, { viewer: { username: author.username } }]);
});

test('a subscription whose line is cut again and again goes on by cursor, without a gap or a duplicate', (t) => {
  return resumes(t, ({ reader, cable, variables, next, fault }) => {
    // The client sends the same object again when it connects again, with what was put
    // into it meanwhile.
    connect(t, reader, { url: cable.wsUrl, retryAttempts: 100, retryWait: async () => {}, shouldRetry: () => true }).subscribe({ query: LIVE, variables }, {
      next: ({ data }) => next(data.feedChirpAdded),
      error: fault,
      complete: () => fault('complete'),
    });
  });
});

test('a token that is none closes the socket for good', async (t) => {
  const client = connect(t, { authorization: 'Bearer nonsense' }, { retryAttempts: 0 });
  const closed = await new Promise((resolve) => {
    client.subscribe({ query: '{ viewer { id } }' }, { next: resolve, error: resolve, complete: () => resolve('complete') });
  });
  assert.equal(closed.code, 4403, JSON.stringify(closed));
});
