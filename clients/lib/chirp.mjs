// What the tests need from a server besides what they test. It uses plain fetch, so that a
// faulty client does not hide its own fault.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import net from 'node:net';

export const url = process.env.CHIRP_URL ?? 'http://localhost:8080/graphql';
export const wsUrl = url.replace(/^http/, 'ws');

/** Sends an operation, as a user if given, and returns its data. */
export async function ask(query, variables, { user, after } = {}) {
  const response = await fetch(url, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      ...(user && { authorization: user.authorization }),
      ...(after && { 'chirp-read-after': after }),
    },
    body: JSON.stringify({ query, variables }),
  });
  const { data, errors } = await response.json();
  assert.equal(errors, undefined, `${query}: ${JSON.stringify(errors)}`);
  return data;
}

/** Registers a user with a new name, and waits until queries return it. */
export async function register() {
  const username = `u${randomBytes(6).toString('hex')}`;
  const { registerUser } = await ask(
    'mutation($input: RegisterUserInput!) { registerUser(input: $input) { user { id } token position } }',
    { input: { username, password: 'correct horse' } },
  );
  const user = { id: registerUser.user.id, username, authorization: `Bearer ${registerUser.token}` };
  await ask('{ viewer { id } }', {}, { user, after: registerUser.position });
  return user;
}

/** Makes one user follow another, and returns the position. */
export async function follow(follower, followee) {
  const data = await ask('mutation($id: ID!) { followUser(input: {userId: $id}) { position } }', { id: followee.id }, { user: follower });
  return data.followUser.position;
}

/** Posts texts one after another, and returns the position of the last. */
export async function post(author, ...texts) {
  let position;
  for (const content of texts) {
    const data = await ask('mutation($content: String!) { postChirp(input: {content: $content}) { position } }', { content }, { user: author });
    position = data.postChirp.position;
  }
  return position;
}

/** Returns the cursor of an author's newest chirp, the one posted at a position. */
export async function newest(author, after) {
  const { user } = await ask('query($id: ID!) { user(id: $id) { chirps(first: 1) { edges { cursor } } } }', { id: author.id }, { after });
  return user.chirps.edges[0].cursor;
}

/** Registers a reader who follows an author, and returns both and the position of the follow. */
export async function pair() {
  const [reader, author] = [await register(), await register()];
  return { reader, author, position: await follow(reader, author) };
}

/** Returns the texts of chirps a to b-1. */
export const texts = (a, b) => Array.from({ length: b - a }, (_, i) => `chirp ${a + i}`);

/**
 * Returns a promise, done, that resolves when a condition holds, and a function, check,
 * that evaluates it again. The timeout is for tests that hang.
 */
export function until(holds, what, seconds = 30) {
  let check;
  const done = new Promise((resolve, reject) => {
    const timeout = setTimeout(() => reject(new Error(`waited ${seconds} s for ${what()}`)), seconds * 1000);
    check = () => {
      if (!holds()) return;
      clearTimeout(timeout);
      resolve();
    };
  });
  return { done, check };
}

/**
 * Checks that a subscription resumes when its connection is cut in the middle of each of
 * several rounds. `subscribe` starts a subscription that resumes after the cursor in the
 * variables it is given, and calls `next` with each edge and `fault` with anything else.
 * All chirps of a round arrive before the next round starts, so that there is a connection
 * to cut.
 */
export async function resumes(t, subscribe) {
  const { reader, author } = await pair();
  const proxy = await cuttableProxy();
  t.after(proxy.close);
  const variables = { after: await newest(author, await post(author, 'chirp 0')) };
  const [rounds, size] = [4, 10];
  const got = [];
  let all;
  const add = (text) => { got.push(text); all.check(); };
  subscribe({
    reader, proxy, variables,
    next: (edge) => {
      variables.after = edge.cursor;
      if (got.length % size === size / 2) proxy.cut();
      add(edge.node.content);
    },
    fault: (what) => add(what),
  });
  const last = rounds * size + 1; // one more shows that it resumed after the last cut, too
  for (let n = 0; n < last; n += size) {
    const end = Math.min(n + size, last);
    all = until(() => got.length >= end, () => `${end} chirps, got ${got}`);
    await post(author, ...texts(n + 1, end + 1));
    await all.done;
  }
  assert.deepEqual(got, texts(1, last + 1));
  assert.ok(proxy.connections() > rounds, `got ${proxy.connections()} connections, want one more than the ${rounds} cuts`);
}

/** Starts a proxy in front of the server whose connections can be cut. Clients can reconnect. */
export async function cuttableProxy() {
  const { hostname, port } = new URL(url);
  const ends = new Set();
  let made = 0;
  const proxy = net.createServer((client) => {
    made++;
    const server = net.connect(Number(port), hostname);
    for (const [one, other] of [[client, server], [server, client]]) {
      ends.add(one);
      one.on('error', () => {});
      one.on('close', () => { ends.delete(one); other.destroy(); });
      one.pipe(other);
    }
  });
  await new Promise((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  const through = new URL(url);
  through.host = `127.0.0.1:${proxy.address().port}`;
  const cut = () => ends.forEach((end) => end.resetAndDestroy());
  return {
    url: through.href,
    wsUrl: through.href.replace(/^http/, 'ws'),
    connections: () => made,
    cut,
    close: () => { cut(); proxy.close(); },
  };
}
