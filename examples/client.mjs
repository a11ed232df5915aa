// An Apollo Client for Chirp, as a program or a React app would set it up. Each link is
// useful on its own; copy what you need.
import { ApolloClient, ApolloLink, HttpLink, InMemoryCache } from '@apollo/client';
import { GraphQLWsLink } from '@apollo/client/link/subscriptions';
import { getMainDefinition, relayStylePagination } from '@apollo/client/utilities';
import { createClient } from 'graphql-ws';
import { catchError, defer, from, of, switchMap, tap, throwError } from 'rxjs';
import ws from 'ws';

globalThis.WebSocket ??= ws; // built into browsers, and into Node since version 22

/**
 * Returns a client for the API at url. token() returns the user's token, or undefined; it is
 * called for each request and each connection, so the token may change.
 *
 * Tokens expire. renew() should get a new one, from the issuer or by logging in, which
 * token() returns from then on; the rejected operation is then retried. If renew is omitted
 * or does not get a valid token, ended() is called, which should ask the user to log in.
 * Subscriptions then end with an error, and do not reconnect.
 */
export function chirpClient({ url, token, renew, ended = () => {} }) {
  const session = newSession({ token, renew, ended });
  const socket = createClient({
    url: url.replace(/^http/, 'ws'),
    ...session.ofSocket(),
    retryAttempts: Infinity, // except after a close code that makes a retry useless
    keepAlive: 10_000, // ms between pings, which detect a dead connection
  });
  const positions = readAfter();
  const http = ApolloLink.from([auth(session), positions.link, new HttpLink({ uri: url })]);
  const live = ApolloLink.from([resume(), new GraphQLWsLink(socket)]);
  const isSubscription = ({ query }) => getMainDefinition(query).operation === 'subscription';
  const apollo = new ApolloClient({ link: ApolloLink.split(isSubscription, live, http), cache: cache() });
  return {
    apollo,
    /** Makes queries include a position that was learned elsewhere. */
    readAfter: positions.note,
    /** Cuts the connection, as a network failure would. */
    cut: () => socket.terminate(),
    async close() {
      apollo.stop();
      await socket.dispose();
    },
  };
}

/** Returns a cache that merges the pages of Relay connections. */
function cache() {
  return new InMemoryCache({
    possibleTypes: { Node: ['User', 'Chirp'] },
    typePolicies: {
      Query: { fields: { feed: relayStylePagination(), recentChirps: relayStylePagination(), recentUsers: relayStylePagination() } },
      User: { fields: { chirps: relayStylePagination(), followers: relayStylePagination(), following: relayStylePagination() } },
    },
  });
}

const FORBIDDEN = 4403; // the close code for a token that is not valid or has expired

/** Holds the token, and renews it when the server rejects it. */
function newSession({ token, renew, ended }) {
  let renewing; // the renewal in progress, shared by all operations that need it
  // renewed replaces a rejected token, and reports whether there is a new one.
  const renewed = async (refused) => {
    if (token() === refused && renew) await (renewing ??= Promise.resolve(renew()).finally(() => { renewing = undefined; }));
    return token() !== refused;
  };
  /** Returns the options of a socket, which gives up after two rejections in a row. */
  const ofSocket = () => {
    let used;
    let refused;
    let refusals = 0;
    const mayRetry = ({ code }) => code !== FORBIDDEN || (refusals < 2 && (token() !== refused || renew !== undefined));
    return {
      async connectionParams() {
        if (refusals > 0 && !(await renewed(refused))) throw new Error('the session has ended; log in again');
        used = token();
        return used ? { authorization: `Bearer ${used}` } : {};
      },
      shouldRetry: (reason) => typeof reason?.code === 'number' && mayRetry(reason),
      on: {
        connected: () => { refusals = 0; },
        closed(event) {
          if (event.code === FORBIDDEN) [refused, refusals] = [used, refusals + 1];
          if (!mayRetry(event)) ended();
        },
        error: () => { if (refusals > 0) ended(); }, // renew failed
      },
    };
  };
  return { token, renewed, ended, ofSocket };
}

/** Authenticates operations, and retries once with a new token if the first is rejected. */
function auth(session) {
  return new ApolloLink((operation, forward) => {
    const ask = () => {
      const used = session.token();
      operation.setContext(({ headers }) => ({ headers: { ...headers, ...(used && { authorization: `Bearer ${used}` }) } }));
      return forward(operation);
    };
    const used = session.token();
    const refused = (answer) => used !== undefined && (isUnauthenticated(answer) || answer?.statusCode === 401);
    const again = (otherwise) => from(session.renewed(used)).pipe(switchMap((good) => {
      if (good) return ask().pipe(tap((result) => { if (refused(result)) session.ended(); }));
      session.ended();
      return otherwise();
    }));
    return defer(ask).pipe(
      catchError((error) => (refused(error) ? again(() => throwError(() => error)) : throwError(() => error))),
      switchMap((result) => (refused(result) ? again(() => of(result)) : of(result))),
    );
  });
}

// A wrong password has the same code, but does not mean that the token is invalid.
const isUnauthenticated = ({ errors }) => errors?.some(({ extensions, path }) => extensions?.code === 'UNAUTHENTICATED' && path?.[0] !== 'logIn');

/**
 * Remembers the highest position that a mutation returned, and makes every query wait for
 * it, so that users see what they have posted. Positions have 64 bits.
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
 * Makes a subscription that reconnects resume after the last edge it received: the server
 * first sends what was missed, and then continues live. This applies to subscriptions that
 * take $after; others, such as profileUpdated, start over.
 */
function resume() {
  return new ApolloLink((operation, forward) => {
    const variables = { ...operation.variables }; // graphql-ws sends this object each time it connects
    operation.variables = variables;
    return forward(operation).pipe(tap(({ data }) => {
      for (const edge of Object.values(data ?? {})) {
        if (edge?.cursor) variables.after = edge.cursor;
      }
    }));
  });
}
