// An Apollo Client for Chirp, as a program or a React app would set it up. Each link
// of the chain is of use by itself; copy what you need.
import { ApolloClient, ApolloLink, HttpLink, InMemoryCache } from '@apollo/client';
import { GraphQLWsLink } from '@apollo/client/link/subscriptions';
import { getMainDefinition, relayStylePagination } from '@apollo/client/utilities';
import { createClient } from 'graphql-ws';
import { tap } from 'rxjs';
import ws from 'ws';

globalThis.WebSocket ??= ws; // browsers have one of their own, and Node from 22 on

/**
 * Makes a client of the API at url. token() gives the user's token, or nothing; it
 * is asked for each request and each connection, so that it may change.
 */
export function chirpClient({ url, token }) {
  const socket = createClient({
    url: url.replace(/^http/, 'ws'),
    connectionParams: () => (token() ? { authorization: `Bearer ${token()}` } : {}),
    retryAttempts: Infinity, // but not after a close that says that it would be of no use
    keepAlive: 10_000, // ms between pings, so that a line that went dead is noticed
  });
  const positions = readAfter();
  const http = ApolloLink.from([auth(token), positions.link, new HttpLink({ uri: url })]);
  const live = ApolloLink.from([resume(), new GraphQLWsLink(socket)]);
  const isSubscription = ({ query }) => getMainDefinition(query).operation === 'subscription';
  const apollo = new ApolloClient({ link: ApolloLink.split(isSubscription, live, http), cache: cache() });
  return {
    apollo,
    /** Makes queries show what stands at a position that was learned elsewhere. */
    readAfter: positions.note,
    /** Cuts the connection as a lost network would. */
    cut: () => socket.terminate(),
    async close() {
      apollo.stop();
      await socket.dispose();
    },
  };
}

/** Lists are Relay connections: pages that are fetched join those that are there. */
function cache() {
  return new InMemoryCache({
    possibleTypes: { Node: ['User', 'Chirp'] },
    typePolicies: {
      Query: { fields: { feed: relayStylePagination() } },
      User: { fields: { chirps: relayStylePagination(), followers: relayStylePagination(), following: relayStylePagination() } },
    },
  });
}

/** Says who is asking. */
function auth(token) {
  return new ApolloLink((operation, forward) => {
    operation.setContext(({ headers }) => ({
      headers: { ...headers, ...(token() && { authorization: `Bearer ${token()}` }) },
    }));
    return forward(operation);
  });
}

/**
 * Keeps the highest position that a mutation answered with, and asks every query to
 * show at least that much: a user who has posted sees it. Positions have 64 bits.
 */
function readAfter() {
  let seen = 0n;
  const note = (position) => {
    if (BigInt(position) > seen) seen = BigInt(position);
  };
  const link = new ApolloLink((operation, forward) => {
    if (seen > 0n) {
      operation.setContext(({ headers }) => ({ headers: { ...headers, 'chirp-read-after': String(seen) } }));
    }
    return forward(operation).pipe(tap(({ data }) => {
      for (const payload of Object.values(data ?? {})) {
        if (payload?.position) note(payload.position);
      }
    }));
  });
  return { link, note };
}

/**
 * Lets a subscription that has to connect again go on after the last edge that came:
 * the server first gives what was missed, and then goes on live. It is for those that
 * take $after; others, such as profileUpdated, begin anew.
 */
function resume() {
  return new ApolloLink((operation, forward) => {
    const variables = { ...operation.variables }; // graphql-ws sends this object, each time that it connects
    operation.variables = variables;
    return forward(operation).pipe(tap(({ data }) => {
      for (const edge of Object.values(data ?? {})) {
        if (edge?.cursor) variables.after = edge.cursor;
      }
    }));
  });
}
