import { ApolloClient, ApolloLink, HttpLink, InMemoryCache } from '@apollo/client';
import { OperationTypeNode } from 'graphql';
import { readAfterLink, retryLink, sessionLink, type Bearer } from './links';
import { pages } from './pages';
import { ReadAfter } from './read-after';
import { Socket } from './socket';

const TIMEOUT = 20_000; // ms

/** A session's connection to the server. Each session has its own. */
export interface Chirp {
  client: ApolloClient;
  socket: Socket;
  close(): void;
}

/** Connects to the server that the page came from. */
export function connect(bearer: Bearer): Chirp {
  const address = new URL('/graphql', location.href);
  const socket = new Socket(address.href.replace(/^http/, 'ws'), bearer);
  const readAfter = new ReadAfter(sessionStorage);
  const http = ApolloLink.from([
    retryLink(readAfter),
    readAfterLink(readAfter),
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

/** Returns a cache in which every connection accumulates its pages. */
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
          sessions: { merge: false },
        },
      },
    },
  });
}
