// An Apollo Client for Chirp, as a program or a React app would set it up. Each link
// of the chain is of use by itself; copy what you need.
import { ApolloClient, ApolloLink, HttpLink, InMemoryCache } from '@apollo/client';
import { GraphQLWsLink } from '@apollo/client/link/subscriptions';
import { getMainDefinition, relayStylePagination } from '@apollo/client/utilities';
import { createClient } from 'graphql-ws';
import { catchError, defer, from, of, switchMap, tap, throwError } from 'rxjs';
import ws from 'ws';

globalThis.WebSocket ??= ws; // browsers have one of their own, and Node from 22 on

/**
 * Makes a client of the API at url. token() returns the user's token, or nothing; it
 * is asked for each request and each connection, so that it may change.
 *
 * Tokens end. renew() gets another one, from the issuer or by a log-in, so that
 * token() returns it from then on, and what was refused is tried again. Without it,
 * or if it brings none that is good, ended() is called: ask the user to log in.
 * Subscriptions end with an error then, and do not connect again.
 */
export function chirpClient({ url, token, renew, ended = () => {} }) {
  const session = newSession({ token, renew, ended });
  const socket = createClient({
    url: url.replace(/^http/, 'ws'),
    ...session.ofSocket(),
    retryAttempts: Infinity, // but not after a close that says that it would be of no use
    keepAlive: 10_000, // ms between pings, so that a line that went dead is noticed
  });
  const positions = readAfter();
  const http = ApolloLink.from([auth(session), positions.link, new HttpLink({ uri: url })]);
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
      Query: { fields: { feed: relayStylePagination(), recentChirps: relayStylePagination(), recentUsers: relayStylePagination() } },
      User: { fields: { chirps: relayStylePagination(), followers: relayStylePagination(), following: relayStylePagination() } },
    },
  });
}

const FORBIDDEN = 4403; // the close code for a token that is not good, or no longer

/** Knows the token, and what to do when the server takes it no more. */
function newSession({ token, renew, ended }) {
  let renewing; // what is under way, for all who need it
  // renewed gets a token in place of one that was refused. It is false if there is none.
  const renewed = async (refused) => {
    if (token() === refused && renew) await (renewing ??= Promise.resolve(renew()).finally(() => { renewing = undefined; }));
    return token() !== refused;
  };
  /** The options of a socket: it is refused at most twice in a row. */
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

/** Says who is asking, and asks once more with another token if the first is refused. */
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

// A wrong password is refused by the same code, and says nothing of the token.
const isUnauthenticated = ({ errors }) => errors?.some(({ extensions, path }) => extensions?.code === 'UNAUTHENTICATED' && path?.[0] !== 'logIn');

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
