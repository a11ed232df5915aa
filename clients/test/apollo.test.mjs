// Apollo Client 4, set up as its documentation says.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { ApolloClient, ApolloLink, CombinedGraphQLErrors, HttpLink, InMemoryCache, gql } from '@apollo/client';
import { GraphQLWsLink } from '@apollo/client/link/subscriptions';
import { getMainDefinition, relayStylePagination } from '@apollo/client/utilities';
import { createClient } from 'graphql-ws';
import { filter, firstValueFrom, tap } from 'rxjs';
import WebSocket from 'ws';
import { newest, pair, post, register, texts, until, url, wsUrl } from '../lib/chirp.mjs';

globalThis.WebSocket ??= WebSocket; // Apollo's link expects the browser's global when an operation fails

const stops = [];
after(() => Promise.all(stops.map((stop) => stop())));

// client returns an Apollo Client for a user. Without live it subscribes over HTTP, with
// Apollo's multipart protocol.
function client(user, { live = true } = {}) {
  let position;
  const headers = new ApolloLink((operation, forward) => {
    operation.setContext(({ headers }) => ({
      headers: { authorization: user.authorization, ...(position && { 'chirp-read-after': position }), ...headers },
    }));
    return forward(operation).pipe(tap(({ data }) => {
      for (const payload of Object.values(data ?? {})) position = payload?.position ?? position;
    }));
  });
  let link = ApolloLink.from([headers, new HttpLink({ uri: url })]);
  if (live) {
    const ws = createClient({ url: wsUrl, webSocketImpl: WebSocket, connectionParams: { authorization: user.authorization } });
    stops.push(() => ws.dispose());
    link = ApolloLink.split(({ query }) => getMainDefinition(query).operation === 'subscription', new GraphQLWsLink(ws), link);
  }
  const apollo = new ApolloClient({
    link,
    cache: new InMemoryCache({
      possibleTypes: { Node: ['User', 'Chirp'] },
      typePolicies: {
        Query: { fields: { feed: relayStylePagination() } },
        User: { fields: { chirps: relayStylePagination(), followers: relayStylePagination(), following: relayStylePagination() } },
      },
    }),
  });
  stops.push(() => apollo.stop());
  return apollo;
}

const FEED = gql`
  query Feed($first: Int, $after: String, $last: Int, $before: String) {
    feed(first: $first, after: $after, last: $last, before: $before) {
      edges { cursor node { id content author { id username } } }
      pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
    }
  }`;
const POST = gql`mutation Post($content: String!) { postChirp(input: { content: $content }) { chirp { id content } position } }`;
const LIVE = gql`subscription Live($after: String) { feedChirpAdded(after: $after) { cursor node { id content author { id username } } } }`;

const contents = (data) => data.feed.edges.map((edge) => edge.node.content);
const newestFirst = (n) => texts(0, n).reverse();

// read registers a reader whose feed has n chirps, and returns an Apollo Client that sees all of them.
async function read(n, options) {
  const { reader, author } = await pair();
  const at = await post(author, ...texts(0, n));
  return { author, apollo: client(reader, options), context: { headers: { 'chirp-read-after': at } } };
}

test('queries fill a normalized cache', async () => {
  const { author, apollo, context } = await read(3);
  const { data } = await apollo.query({
    query: gql`query($id: ID!, $name: String!) {
      viewer { id username followingCount }
      user(username: $name) { id username followerCount viewerFollows chirps(first: 2) { edges { cursor node { id content } } pageInfo { hasNextPage endCursor } } }
      node(id: $id) { id ... on User { joinedAt } }
    }`,
    variables: { id: author.id, name: author.username.toUpperCase() },
    context,
  });
  assert.equal(data.user.id, author.id);
  assert.equal(data.user.viewerFollows, true);
  assert.equal(data.user.followerCount, 1);
  assert.equal(data.viewer.followingCount, 1);
  assert.deepEqual(data.user.chirps.edges.map((e) => e.node.content), ['chirp 2', 'chirp 1']);
  assert.match(data.node.joinedAt, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  const kept = apollo.readFragment({ fragment: gql`fragment F on User { username joinedAt followerCount }`, from: { __typename: 'User', id: author.id } });
  assert.deepEqual([kept.username, kept.joinedAt], [author.username, data.node.joinedAt], 'user and node are one entry in the cache');
});

for (const [end, size, cursor, from, more] of [['front', 'first', 'after', 'endCursor', 'hasNextPage'], ['end', 'last', 'before', 'startCursor', 'hasPreviousPage']]) {
  test(`relayStylePagination joins pages from the ${end}`, async () => {
    const { apollo, context } = await read(25);
    const feed = apollo.watchQuery({ query: FEED, variables: { [size]: 10 }, context });
    const subscription = feed.subscribe({});
    for (const n of [10, 20, 25]) {
      const { data } = await firstValueFrom(feed.pipe(filter((shown) => shown.data?.feed?.edges.length === n)));
      assert.deepEqual(contents(data), end === 'front' ? newestFirst(25).slice(0, n) : newestFirst(25).slice(25 - n));
      assert.equal(data.feed.pageInfo[more], n < 25);
      if (n < 25) await feed.fetchMore({ variables: { [size]: 10, [cursor]: data.feed.pageInfo[from] } });
    }
    subscription.unsubscribe();
  });
}

test('queries after a mutation include its effect', async () => {
  const { author } = await pair();
  const apollo = client(author);
  for (const content of texts(0, 30)) {
    const { data } = await apollo.mutate({ mutation: POST, variables: { content } });
    const own = await apollo.query({
      query: gql`{ viewer { id chirpCount chirps(first: 1) { edges { cursor node { id content } } } } }`,
      fetchPolicy: 'no-cache',
    });
    assert.deepEqual(own.data.viewer.chirps.edges[0].node, { __typename: 'Chirp', ...data.postChirp.chirp });
  }
});

test('a refused mutation returns its code, and the others return their results', async () => {
  const { author } = await pair();
  const apollo = client(author);
  await assert.rejects(
    apollo.mutate({ mutation: gql`mutation($id: ID!) { followUser(input: { userId: $id }) { position } }`, variables: { id: author.id } }),
    (error) => CombinedGraphQLErrors.is(error) && error.errors[0].extensions.code === 'BAD_USER_INPUT',
  );
  const { data, error } = await apollo.mutate({
    mutation: gql`mutation($id: ID!) { done: postChirp(input: { content: "done" }) { chirp { content } } not: followUser(input: { userId: $id }) { position } }`,
    variables: { id: author.id }, errorPolicy: 'all',
  });
  assert.equal(data.done.chirp.content, 'done');
  assert.equal(data.not, null);
  assert.deepEqual(error.errors.map((e) => e.path), [['not']]);
});

test('an invalid token and an invalid operation return their codes', async () => {
  const { author } = await pair();
  for (const [user, query, code] of [
    [{ authorization: 'Bearer nonsense' }, gql`{ viewer { id } }`, 'UNAUTHENTICATED'],
    [author, gql`{ nope }`, 'GRAPHQL_VALIDATION_FAILED'],
    [author, gql`{ viewer { id } node(id: "nonsense") { id } }`, 'BAD_USER_INPUT'],
  ]) {
    const { data, error } = await client(user).query({ query, errorPolicy: 'all' });
    assert.ok(CombinedGraphQLErrors.is(error), String(error));
    assert.equal(error.errors[0].extensions.code, code);
    assert.equal(data?.viewer?.id, code === 'BAD_USER_INPUT' ? author.id : undefined);
  }
});

for (const [name, live] of [['graphql-ws', true], ['multipart', false]]) {
  test(`a subscription over ${name} receives every event, in order`, async () => {
    const { author, apollo, context } = await read(5, { live });
    const { data } = await apollo.query({ query: FEED, context });
    const got = [];
    const all = until(() => got.length >= 23, () => `23 chirps, got ${got}`);
    const subscription = apollo.subscribe({ query: LIVE, variables: { after: data.feed.edges[2].cursor } }).subscribe({
      next: ({ data, error }) => { got.push(error ?? data.feedChirpAdded.node.content); all.check(); },
      error: (error) => { got.push(error); all.check(); },
    });
    await post(author, ...texts(5, 26));
    await all.done;
    assert.deepEqual(got, texts(3, 26));
    subscription.unsubscribe();
  });

  test(`concurrent subscriptions over ${name} are independent`, async () => {
    const { reader, author } = await pair();
    const apollo = client(reader, { live });
    const after = await newest(author, await post(author, 'chirp 0'));
    const feed = [];
    let count = 0;
    const all = until(() => feed.length === 2 && count === 3, () => `2 chirps and a count of 3, got ${feed} and ${count}`);
    const profile = apollo.subscribe({ query: gql`subscription($id: ID!) { profileUpdated(userId: $id) { id chirpCount } }`, variables: { id: author.id } })
      .subscribe(({ data }) => { count = data.profileUpdated.chirpCount; all.check(); });
    const chirps = apollo.subscribe({ query: LIVE, variables: { after } })
      .subscribe(({ data }) => { feed.push(data.feedChirpAdded.node.content); all.check(); more.check(); });
    const more = until(() => feed.length === 4, () => `4 chirps, got ${feed}`);
    await post(author, ...texts(1, 3));
    await all.done;
    profile.unsubscribe();
    await post(author, ...texts(3, 5));
    await more.done;
    assert.deepEqual(feed, texts(1, 5));
    chirps.unsubscribe();
  });

  test(`a refused subscription over ${name} returns its code`, async () => {
    const apollo = client(await register(), { live });
    const error = await new Promise((resolve, reject) => {
      apollo.subscribe({ query: LIVE, variables: { after: 'nonsense' } }).subscribe({
        next: ({ error }) => (error ? resolve(error) : reject(new Error('it was not refused'))),
        error: resolve,
        complete: () => reject(new Error('it ended without an error')),
      });
    });
    assert.equal(error.errors?.[0].extensions.code, 'CURSOR_INVALID', String(error));
  });
}
