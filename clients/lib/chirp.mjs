// What the tests need to say to a server besides what they test: by plain fetch, so
// that a client's fault is not hidden by its own doing.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import net from 'node:net';

export const url = process.env.CHIRP_URL ?? 'http://localhost:8080/graphql';
export const wsUrl = url.replace(/^http/, 'ws');

/** Sends an operation, as a user if there is one, and gives its data. */
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

/** Makes a user of a new name, and waits until queries know of it. */
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

/** Lets one user follow another. Gives the position. */
export async function follow(follower, followee) {
  const data = await ask('mutation($id: ID!) { followUser(input: {userId: $id}) { position } }', { id: followee.id }, { user: follower });
  return data.followUser.position;
}

/** Posts texts one after the other, and gives the last one's position. */
export async function post(author, ...texts) {
  let position;
  for (const content of texts) {
    const data = await ask('mutation($content: String!) { postChirp(input: {content: $content}) { position } }', { content }, { user: author });
    position = data.postChirp.position;
  }
  return position;
}

/** The cursor of an author's newest chirp, which the one at that position is. */
export async function newest(author, after) {
  const { user } = await ask('query($id: ID!) { user(id: $id) { chirps(first: 1) { edges { cursor } } } }', { id: author.id }, { after });
  return user.chirps.edges[0].cursor;
}

/** A reader who follows an author, both new, and where the log stands then. */
export async function pair() {
  const [reader, author] = [await register(), await register()];
  return { reader, author, position: await follow(reader, author) };
}

/** The texts a, a+1, …, b-1. */
export const texts = (a, b) => Array.from({ length: b - a }, (_, i) => `chirp ${a + i}`);

/**
 * Waits until something holds, which is looked at again after each call of the
 * function that is given. The bound is there for what hangs.
 */
export function until(holds, what, seconds = 30) {
  let poke;
  const done = new Promise((resolve, reject) => {
    const late = setTimeout(() => reject(new Error(`waited ${seconds} s for ${what()}`)), seconds * 1000);
    poke = () => {
      if (!holds()) return;
      clearTimeout(late);
      resolve();
    };
  });
  return { done, poke };
}

/**
 * Has a subscription's line cut in the middle of each of some rounds. `subscribe`
 * begins one that resumes after the cursor in the variables it is given, and calls
 * `next` with each edge and `fault` with what else happens. What the author posts in
 * a round has come before the next begins, so that there is a line to cut.
 */
export async function resumes(t, subscribe) {
  const { reader, author } = await pair();
  const cable = await line();
  t.after(cable.close);
  const variables = { after: await newest(author, await post(author, 'chirp 0')) };
  const [rounds, size] = [4, 10];
  const got = [];
  let all;
  const add = (text) => { got.push(text); all.poke(); };
  subscribe({
    reader, cable, variables,
    next: (edge) => {
      variables.after = edge.cursor;
      if (got.length % size === size / 2) cable.cut();
      add(edge.node.content);
    },
    fault: (what) => add(what),
  });
  const last = rounds * size + 1; // it shows that the last cut was got over as well
  for (let n = 0; n < last; n += size) {
    const end = Math.min(n + size, last);
    all = until(() => got.length >= end, () => `${end} chirps, and got ${got}`);
    await post(author, ...texts(n + 1, end + 1));
    await all.done;
  }
  assert.deepEqual(got, texts(1, last + 1));
  assert.ok(cable.connections() > rounds, `${cable.connections()} connections were made, want one more for each of ${rounds} cuts`);
}

/**
 * A line to the server that can be cut. Whoever connects again gets a new one.
 */
export async function line() {
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
