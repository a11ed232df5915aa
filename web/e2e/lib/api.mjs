// The API, for those users of the scenario who need no browser.
import { createHmac } from 'node:crypto';

export class Api {
  constructor(url) {
    this.url = url;
  }

  async ask(query, variables = {}, token = null) {
    const headers = { 'Content-Type': 'application/json' };
    if (token) headers.Authorization = `Bearer ${token}`;
    const response = await fetch(`${this.url}/graphql`, { method: 'POST', headers, body: JSON.stringify({ query, variables }) });
    const { data, errors } = await response.json();
    if (errors) throw new Error(`${query}: ${JSON.stringify(errors)}`);
    return data;
  }

  async register(username, password = 'correct horse battery') {
    const data = await this.ask('mutation ($i: RegisterUserInput!) { registerUser(input: $i) { user { id } token } }', { i: { username, password } });
    return new ApiUser(this, username, password, data.registerUser);
  }

  async logIn(username, password) {
    const data = await this.ask('mutation ($i: LogInInput!) { logIn(input: $i) { user { id } token } }', { i: { username, password } });
    return new ApiUser(this, username, password, data.logIn);
  }
}

export class ApiUser {
  constructor(api, username, password, { user, token }) {
    Object.assign(this, { api, username, password, id: user.id, token });
  }

  async post(content) {
    const data = await this.api.ask('mutation ($i: PostChirpInput!) { postChirp(input: $i) { chirp { id } } }', { i: { content } }, this.token);
    return data.postChirp.chirp.id;
  }

  async follow(other) {
    await this.api.ask('mutation ($i: FollowUserInput!) { followUser(input: $i) { position } }', { i: { userId: other.id } }, this.token);
  }

  /** Returns the ids of the whole feed, newest first, as the server returns them. */
  async feed() {
    const ids = [];
    for (let after = null; ; ) {
      const { feed } = await this.api.ask('query ($a: String) { feed(first: 100, after: $a) { edges { node { id } } pageInfo { hasNextPage endCursor } } }', { a: after }, this.token);
      ids.push(...feed.edges.map((edge) => edge.node.id));
      if (!feed.pageInfo.hasNextPage) return ids;
      after = feed.pageInfo.endCursor;
    }
  }
}

/** Returns the same token with another expiry time, in milliseconds since the epoch. */
export function withExpiry(token, secret, expires) {
  const [header, claims] = token.split('.');
  const changed = { ...JSON.parse(Buffer.from(claims, 'base64url')), exp: Math.floor(expires / 1000) };
  const text = `${header}.${Buffer.from(JSON.stringify(changed)).toString('base64url')}`;
  return `${text}.${createHmac('sha256', secret).update(text).digest('base64url')}`;
}
