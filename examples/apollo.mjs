// One user follows another and watches new chirps live, through a lost connection. It needs
// a running server:
//
//	npm ci && node apollo.mjs
//
// CHIRP_URL is the URL of the API, by default http://localhost:8080/graphql. The client and
// its link chain are in client.mjs.
import assert from 'node:assert/strict';
import { CombinedGraphQLErrors, gql } from '@apollo/client';
import { chirpClient } from './client.mjs';

const url = process.env.CHIRP_URL ?? 'http://localhost:8080/graphql';
const password = 'correct horse battery staple';
const suffix = Date.now().toString(36).slice(-6); // so that the example can be run repeatedly

const CHIRP = gql`
  fragment ChirpParts on Chirp { id content postedAt author { id username } }`;
const REGISTER = gql`
  mutation Register($input: RegisterUserInput!) { registerUser(input: $input) { user { id username } token position } }`;
const FOLLOW = gql`
  mutation Follow($userId: ID!) { followUser(input: { userId: $userId }) { followee { id followerCount } position } }`;
const POST = gql`
  ${CHIRP}
  mutation Post($content: String!, $commandId: String) {
    postChirp(input: { content: $content, commandId: $commandId }) { chirp { ...ChirpParts } position }
  }`;
const FEED = gql`
  ${CHIRP}
  query Feed($first: Int, $after: String) {
    feed(first: $first, after: $after) {
      edges { cursor node { ...ChirpParts } }
      pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
    }
  }`;
const VIEWER = gql`
  query Viewer { viewer { id username } }`;
const WATCH = gql`
  ${CHIRP}
  subscription Watch($after: String) { feedChirpAdded(after: $after) { cursor node { ...ChirpParts } } }`;

// register creates an account, and returns it with a client authenticated as it.
async function register(name) {
  let token;
  const client = chirpClient({ url, token: () => token });
  const { data } = await client.apollo.mutate({
    mutation: REGISTER,
    variables: { input: { username: `${name}_${suffix}`, password } },
  });
  token = data.registerUser.token;
  console.log(`${data.registerUser.user.username} has registered`);
  return { ...client, ...data.registerUser.user, token };
}

// post posts a chirp. A client that did not receive the response can send it again with the
// same command id, and the chirp is posted only once.
async function post(user, content, commandId = crypto.randomUUID()) {
  const { data } = await user.apollo.mutate({ mutation: POST, variables: { content, commandId } });
  return data.postChirp;
}

// readFeed pages through a user's feed, and returns the edges as the cache merged them.
async function readFeed(user, first) {
  let { data } = await user.apollo.query({ query: FEED, variables: { first } });
  while (data.feed.pageInfo.hasNextPage) {
    const after = data.feed.pageInfo.endCursor;
    await user.apollo.query({ query: FEED, variables: { first, after }, fetchPolicy: 'network-only' });
    data = user.apollo.readQuery({ query: FEED, variables: { first } });
  }
  return data.feed.edges;
}

// watch subscribes to a user's feed after a cursor. next() waits for the next chirp, and
// throws if the subscription has ended with an error.
function watch(user, after) {
  const chirps = [];
  let failure;
  let wake = () => {};
  const fail = (error) => {
    failure = error;
    wake();
  };
  const subscription = user.apollo.subscribe({ query: WATCH, variables: { after } }).subscribe({
    next({ data, error }) {
      if (error) return fail(error);
      chirps.push(data.feedChirpAdded.node);
      wake();
    },
    error: fail,
  });
  return {
    async next() {
      while (chirps.length === 0) {
        if (failure) throw failure;
        await new Promise((resolve) => { wake = resolve; });
      }
      return chirps.shift();
    },
    end: () => subscription.unsubscribe(),
  };
}

const alice = await register('alice');
const bob = await register('bob');

await bob.apollo.mutate({ mutation: FOLLOW, variables: { userId: alice.id } });
const again = await bob.apollo.mutate({ mutation: FOLLOW, variables: { userId: alice.id }, errorPolicy: 'all' });
assert.ok(CombinedGraphQLErrors.is(again.error));
console.log(`following twice fails with ${again.error.errors[0].extensions.code}`);

for (let i = 1; i <= 7; i++) await post(alice, `Chirp number ${i}`);
const once = await post(alice, 'Sent twice, posted once', 'my-command');
const twice = await post(alice, 'Sent twice, posted once', 'my-command');
assert.equal(twice.chirp.id, once.chirp.id);

// Alice's queries now include her own chirps, because her client reads after its own
// writes. Bob's client has to be told the position.
bob.readAfter(once.position);
const feed = await readFeed(bob, 3);
console.log(`${bob.username}'s feed, in pages of three:`, feed.map((edge) => edge.node.content));
assert.equal(feed.length, 8);

const live = watch(bob, feed[0].cursor);
await post(alice, 'Seen live');
assert.equal((await live.next()).content, 'Seen live');
bob.cut();
for (const content of ['Posted while disconnected', 'And another']) await post(alice, content);
assert.equal((await live.next()).content, 'Posted while disconnected');
assert.equal((await live.next()).content, 'And another');
await post(alice, 'Live again');
assert.equal((await live.next()).content, 'Live again');
console.log('the subscription resumed where it was cut, without gaps or duplicates');

// An expired session is renewed if possible; otherwise its operations fail. An invalid token
// stands in for one that has expired.
let token = 'expired';
const renewing = chirpClient({ url, token: () => token, renew: async () => { token = bob.token; } });
assert.equal((await renewing.apollo.query({ query: VIEWER })).data.viewer.username, bob.username);
token = 'expired';
const renewed = watch(renewing, feed[0].cursor);
assert.equal((await renewed.next()).content, 'Seen live');
renewed.end();
const prompts = [];
const expired = chirpClient({ url, token: () => 'expired', ended: () => prompts.push('log in') });
await assert.rejects(watch(expired).next(), /4403/);
assert.deepEqual(prompts, ['log in']);
console.log('one session was renewed, and another ended with a prompt to log in');

live.end();
await Promise.all([renewing.close(), expired.close()]);
await Promise.all([alice.close(), bob.close()]);
