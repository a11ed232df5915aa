// The graphql-ws client, on a connection that is cut.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createClient } from 'graphql-ws';
import WebSocket from 'ws';
import { register, resumes, wsUrl } from '../lib/chirp.mjs';

const LIVE = 'subscription Live($after: String) { feedChirpAdded(after: $after) { cursor node { content } } }';

// connect returns a client for a user, which is disposed when the test ends.
function connect(t, user, options) {
  const client = createClient({ url: wsUrl, webSocketImpl: WebSocket, connectionParams: { authorization: user.authorization }, ...options });
  t.after(() => client.dispose());
  return client;
}

test('queries and mutations work over the socket', async (t) => {
  const author = await register();
  const client = connect(t, author);
  const results = [];
  for (const query of ['mutation { postChirp(input: { content: "over a socket" }) { chirp { content } } }', '{ viewer { username } }']) {
    for await (const result of client.iterate({ query })) results.push(result.data);
  }
  assert.deepEqual(results, [{ postChirp: { chirp: { content: 'over a socket' } } }, { viewer: { username: author.username } }]);
});

test('a subscription whose connection is cut repeatedly resumes by cursor, without gaps or duplicates', (t) => {
  return resumes(t, ({ reader, proxy, variables, next, fault }) => {
    // When the client reconnects, it sends the same object again, including changes made
    // to it in the meantime.
    connect(t, reader, { url: proxy.wsUrl, retryAttempts: 100, retryWait: async () => {}, shouldRetry: () => true }).subscribe({ query: LIVE, variables }, {
      next: ({ data }) => next(data.feedChirpAdded),
      error: fault,
      complete: () => fault('complete'),
    });
  });
});

test('an invalid token closes the socket with 4403', async (t) => {
  const client = connect(t, { authorization: 'Bearer nonsense' }, { retryAttempts: 0 });
  const closed = await new Promise((resolve) => {
    client.subscribe({ query: '{ viewer { id } }' }, { next: resolve, error: resolve, complete: () => resolve('complete') });
  });
  assert.equal(closed.code, 4403, JSON.stringify(closed));
});
