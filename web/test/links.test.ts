import { ApolloLink, ApolloClient, gql, InMemoryCache } from '@apollo/client';
import { Observable } from 'rxjs';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { codeOf } from '../src/api/errors';
import { retryLink, readAfterLink, sessionLink } from '../src/api/links';
import { ReadAfter, type PositionStorage } from '../src/api/read-after';

const QUERY = gql('{ viewer { id } }');
const POST = gql('mutation ($input: I!) { postChirp(input: $input) { position } }');

type Answer = ApolloLink.Result | Error;

/** A server that gives its answers one after another, and then repeats the last. */
class Server {
  asked: { name: string; headers: Record<string, string>; variables: unknown }[] = [];
  constructor(readonly answers: Answer[]) {}

  link = new ApolloLink((operation) => {
    this.asked.push({ name: operation.operationType, headers: { ...operation.getContext().headers }, variables: operation.variables });
    const answer = this.answers.length > 1 ? this.answers.shift()! : this.answers[0]!;
    return new Observable((observer) => {
      if (answer instanceof Error) return observer.error(answer);
      observer.next(answer);
      observer.complete();
    });
  });
}

const refusal = (code: string): Answer => ({ data: null, errors: [{ message: code, extensions: { code } }] });
const posted = (position: string): Answer => ({ data: { postChirp: { __typename: 'P', position } } });
const noViewer: Answer = { data: { viewer: null } };
const lost = new TypeError('Failed to fetch');
const delays = [1, 1, 1];

class MemoryStorage implements PositionStorage {
  #values = new Map<string, string>();
  getItem = (key: string) => this.#values.get(key) ?? null;
  setItem = (key: string, value: string) => void this.#values.set(key, value);
  removeItem = (key: string) => void this.#values.delete(key);
}

let readAfter: ReadAfter;
const expire = vi.fn();

beforeEach(() => {
  readAfter = new ReadAfter(new MemoryStorage());
  expire.mockReset();
});

function clientOf(server: Server, token: string | null = null): ApolloClient {
  const link = ApolloLink.from([retryLink(readAfter, delays), readAfterLink(readAfter), sessionLink({ token, expire }), server.link]);
  return new ApolloClient({ link, cache: new InMemoryCache(), defaultOptions: { query: { fetchPolicy: 'no-cache' } } });
}

const post = (client: ApolloClient, input: object) => client.mutate({ mutation: POST, variables: { input } });
const READ_AFTER = 'Chirp-Read-After';

describe('the link chain', () => {
  it('sends the position of the last mutation with queries', async () => {
    const server = new Server([noViewer, posted('9007199254740992'), posted('9007199254740993'), posted('999999999999999'), noViewer]);
    const client = clientOf(server);
    await client.query({ query: QUERY });
    await post(client, {});
    await post(client, {}); // one more, which a number cannot distinguish from the previous
    await post(client, {}); // an older position, which must not replace the newer one
    await client.query({ query: QUERY });
    expect(server.asked.map((request) => request.headers[READ_AFTER])).toEqual([undefined, undefined, undefined, undefined, '9007199254740993']);
  });

  it('sends the token, except with anonymous operations', async () => {
    const server = new Server([noViewer]);
    const client = clientOf(server, 'secret');
    await client.query({ query: QUERY });
    await client.query({ query: QUERY, context: { anonymous: true } });
    expect(server.asked.map((request) => request.headers.Authorization)).toEqual(['Bearer secret', undefined]);
  });

  it('expires the session when the token is rejected', async () => {
    await expect(clientOf(new Server([refusal('UNAUTHENTICATED')]), 'old').query({ query: QUERY })).rejects.toThrow();
    expect(expire).toHaveBeenCalledTimes(1);
  });

  it('does not expire the session when a password is rejected', async () => {
    const client = clientOf(new Server([refusal('UNAUTHENTICATED')]), 'old');
    await expect(client.query({ query: QUERY, context: { anonymous: true } })).rejects.toThrow();
    expect(expire).not.toHaveBeenCalled();
  });

  it.each([
    ['a lost connection', lost],
    ['an unavailable server', refusal('UNAVAILABLE')],
    ['a server that has not caught up', refusal('NOT_YET_VISIBLE')],
  ])('retries a query after %s', async (_, answer) => {
    const server = new Server([answer, answer, noViewer]);
    await clientOf(server).query({ query: QUERY });
    expect(server.asked.length).toBe(3);
  });

  it('retries a command with the same id', async () => {
    const server = new Server([lost, refusal('UNAVAILABLE'), posted('7')]);
    await post(clientOf(server), { commandId: 'one' });
    expect(server.asked.map((request) => request.variables)).toEqual(Array(3).fill({ input: { commandId: 'one' } }));
    expect(readAfter.position).toBe('7');
  });

  it('does not retry a mutation without a command id', async () => {
    const server = new Server([lost, posted('7')]);
    await expect(post(clientOf(server), {})).rejects.toBe(lost);
    expect(server.asked.length).toBe(1);
  });

  it.each(['BAD_USER_INPUT', 'RATE_LIMITED', 'CONFLICT', 'INTERNAL'])('does not retry after %s', async (code) => {
    const server = new Server([refusal(code)]);
    const error = await post(clientOf(server), { commandId: 'one' }).catch((reason: unknown) => reason);
    expect([codeOf(error), server.asked.length]).toEqual([code, 1]);
  });

  it('gives up eventually and reports why', async () => {
    const server = new Server([lost]);
    await expect(clientOf(server).query({ query: QUERY })).rejects.toBe(lost);
    expect(server.asked.length).toBe(1 + delays.length);
  });

  it('makes the last attempt without a position, because the server may never reach it', async () => {
    readAfter.record({ postChirp: { position: '99' } });
    const behind = refusal('NOT_YET_VISIBLE');
    const server = new Server([behind, behind, behind, noViewer]);
    await clientOf(server).query({ query: QUERY });
    expect(server.asked.map((request) => request.headers[READ_AFTER])).toEqual(['99', '99', '99', undefined]);
    expect(readAfter.position).toBeNull();
  });
});

describe('recording a position', () => {
  it.each([
    ['no data', null],
    ['a payload that failed', { postChirp: null }],
    ['a payload without a position', { logIn: { token: 'x' } }],
    ['a position that is not a number', { postChirp: { position: 'soon' } }],
  ])('ignores %s', (_, data) => {
    readAfter.record(data);
    expect(readAfter.position).toBeNull();
  });
});
