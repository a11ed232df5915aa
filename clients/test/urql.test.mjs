// urql with its normalized cache and pagination.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { Client, fetchExchange, gql, subscriptionExchange } from '@urql/core';
import { cacheExchange } from '@urql/exchange-graphcache';
import { relayPagination } from '@urql/exchange-graphcache/extras';
import { createClient } from 'graphql-ws';
import WebSocket from 'ws';
import { pair, post, register, texts, until, url, wsUrl } from '../lib/chirp.mjs';

const stops = [];
after(() => Promise.all(stops.map((stop) => stop())));

function client(user, { readAfter, live = true } = {}) {
  const pages = relayPagination();
  const ws = createClient({ url: wsUrl, webSocketImpl: WebSocket, lazy: true, connectionParams: { authorization: user.authorization } });
  stops.push(() => ws.dispose());
  return new Client({
    url,
    preferGetMethod: false,
    fetchOptions: { headers: { authorization: user.authorization, ...(readAfter && { 'chirp-read-after': readAfter }) } },
    fetchSubscriptions: !live,
    exchanges: [
      cacheExchange({ resolvers: { Query: { feed: pages }, User: { chirps: pages, followers: pages, following: pages } } }),
      ...(live ? [subscriptionExchange({ forwardSubscription: ({ query, variables }) => ({ subscribe: (sink) => ({ unsubscribe: ws.subscribe({ query, variables }, sink) }) }) })] : []),
      fetchExchange,
    ],
  });
}

const FEED = gql`
  query Feed($first: Int, $after: String) {
    feed(first: $first, after: $after) {
      edges { cursor node { id content author { id username } } }
      pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
    }
  }`;
const FOLLOWERS = gql`
  query Followers($id: ID!, $last: Int, $before: String) {
    user(id: $id) {
      id
      followers(last: $last, before: $before) {
        edges { cursor node { id username } }
        pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
      }
    }
  }`;

async function must(result) {
  const { data, error } = await result;
  assert.equal(error, undefined, String(error));
  return data;
}

test('relayPagination joins pages from the front', async () => {
  const { reader, author } = await pair();
  const urql = client(reader, { readAfter: await post(author, ...texts(0, 25)) });
  let after;
  for (const size of [10, 20, 25]) {
    const { feed } = await must(urql.query(FEED, { first: 10, after }).toPromise());
    assert.deepEqual(feed.edges.map((e) => e.node.content), texts(0, 25).reverse().slice(0, size));
    assert.equal(feed.pageInfo.hasNextPage, size < 25);
    after = feed.pageInfo.endCursor;
  }
});

test('relayPagination joins pages from the end', async () => {
  const { reader: first, author } = await pair();
  const followers = [first];
  let at;
  for (let i = 0; i < 4; i++) {
    const reader = await register();
    at = await must(client(reader).mutation(gql`mutation($id: ID!) { followUser(input: { userId: $id }) { position } }`, { id: author.id }).toPromise());
    followers.push(reader);
  }
  const urql = client(author, { readAfter: at.followUser.position });
  let before;
  for (const size of [2, 4, 5]) {
    const { user } = await must(urql.query(FOLLOWERS, { id: author.id, last: 2, before }).toPromise());
    assert.deepEqual(user.followers.edges.map((e) => e.node.username), followers.slice(0, size).map((f) => f.username).reverse());
    assert.equal(user.followers.pageInfo.hasPreviousPage, size < 5);
    before = user.followers.pageInfo.startCursor;
  }
});

test('a refused mutation returns its code', async () => {
  const { author } = await pair();
  const { error } = await client(author).mutation(gql`mutation { postChirp(input: { content: " " }) { position } }`, {}).toPromise();
  assert.equal(error.graphQLErrors[0].extensions.code, 'BAD_USER_INPUT');
});

test('an invalid token and an invalid operation return their codes', async () => {
  const { author } = await pair();
  for (const [user, query, code] of [
    [{ authorization: 'Bearer nonsense' }, gql`{ viewer { id } }`, 'UNAUTHENTICATED'],
    [author, gql`{ nope }`, 'GRAPHQL_VALIDATION_FAILED'],
    [author, gql`{ viewer { id } node(id: "nonsense") { id } }`, 'BAD_USER_INPUT'],
  ]) {
    const { data, error } = await client(user).query(query, {}).toPromise();
    assert.equal(error.graphQLErrors[0]?.extensions.code, code, String(error));
    assert.equal(data?.viewer?.id, code === 'BAD_USER_INPUT' ? author.id : undefined);
  }
});

for (const [name, live] of [['graphql-ws', true], ['its own fetch', false]]) {
  test(`a subscription over ${name} receives every event, in order`, async () => {
    const { reader, author } = await pair();
    const urql = client(reader, { readAfter: await post(author, ...texts(0, 3)), live });
    const { feed } = await must(urql.query(FEED, { first: 3 }).toPromise());
    const got = [];
    const all = until(() => got.length >= 12, () => `12 chirps, got ${got}`);
    const { unsubscribe } = urql.subscription(
      gql`subscription($after: String) { feedChirpAdded(after: $after) { cursor node { id content } } }`,
      { after: feed.pageInfo.endCursor },
    ).subscribe(({ data, error }) => { got.push(error ? String(error) : data.feedChirpAdded.node.content); all.check(); });
    await post(author, ...texts(3, 13));
    await all.done;
    assert.deepEqual(got, texts(1, 13));
    unsubscribe();
  });
}
