import { ApolloClient, ApolloLink, HttpLink, InMemoryCache } from '@apollo/client';
import { OperationTypeNode } from 'graphql';
import { patienceLink, readAfterLink, sessionLink, type Bearer } from './links';
import { pages } from './pages';
import { ReadAfter } from './read-after';
import { Socket } from './socket';

const TIMEOUT = 20_000;

/** What a session talks to the server with. Another session gets another one. */
export interface Chirp {
  client: ApolloClient;
  socket: Socket;
  close(): void;
}

/** Connects to the server that the page came from. */
export function connect(bearer: Bearer): Chirp {
  const address = new URL('/graphql', location.href);
  const socket = new Socket(address.href.replace(/^http/, 'ws'), bearer);
  const memory = new ReadAfter(sessionStorage);
  const http = ApolloLink.from([
    patienceLink(memory),
    readAfterLink(memory),
    sessionLink(bearer),
    new HttpLink({ uri: address.href, fetch: timedFetch }),
  ]);
  const link = ApolloLink.split((operation) => operation.operationType === OperationTypeNode.SUBSCRIPTION, socket.link, http);
  const client = new ApolloClient({ link, cache: newCache() });
  return {
    client,
    socket,
    close: () => {
      socket.close();
      client.stop();
    },
  };
}

const timedFetch: typeof fetch = (input, init) => {
  const timeout = AbortSignal.timeout(TIMEOUT);
  return fetch(input, { ...init, signal: init?.signal ? AbortSignal.any([init.signal, timeout]) : timeout });
};

/** The cache: every list grows page by page, as its cursors say. */
export function newCache(): InMemoryCache {
  return new InMemoryCache({
    typePolicies: {
      Query: {
        fields: {
          feed: pages(),
          recentChirps: pages(),
          recentUsers: pages(),
        },
      },
      User: {
        fields: {
          chirps: pages(),
          followers: pages(),
          following: pages(),
        },
      },
    },
  });
}
