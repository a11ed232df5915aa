// How GraphiQL talks to the server: queries and mutations by POST, subscriptions
// over a WebSocket, both as whoever the token stands for.
import { createGraphiQLFetcher } from '@graphiql/toolkit';
import { parse } from 'graphql';
import { createClient } from 'graphql-ws';

const kept = 'chirp-token'; // until the browser's tab is closed
let token = sessionStorage.getItem(kept) ?? '';
const watchers = new Set();

export const currentToken = () => token;

export function setToken(next) {
  token = next.trim().replace(/^Bearer\s+/i, '');
  sessionStorage.setItem(kept, token);
  for (const watcher of watchers) watcher();
}

export function watchToken(watcher) {
  watchers.add(watcher);
  return () => watchers.delete(watcher);
}

// A header that the headers editor sets goes before the token's field.
function withToken(headers = {}) {
  const given = Object.keys(headers).some((name) => name.toLowerCase() === 'authorization');
  return given || token === '' ? headers : { ...headers, Authorization: `Bearer ${token}` };
}

const address = new URL('/graphql', location.href);
const socketAddress = new URL(address);
socketAddress.protocol = address.protocol === 'https:' ? 'wss:' : 'ws:';

// One socket serves all subscriptions of one caller.
let socket;
function socketOf(authorization) {
  if (!socket || socket.authorization !== authorization) {
    socket?.client.dispose();
    const connectionParams = authorization ? { authorization } : {};
    const shouldRetry = ({ code }) => code !== 4403; // then the token is not good, or no longer, and another is needed
    socket = { authorization, client: createClient({ url: socketAddress.href, connectionParams, retryAttempts: 3, shouldRetry }) };
  }
  return socket.client;
}

// Whoever has just registered or logged in goes on as that user.
async function send(url, init) {
  const response = await fetch(url, init);
  const answer = await response.clone().json().catch(() => null);
  const fresh = answer?.data?.registerUser?.token ?? answer?.data?.logIn?.token;
  if (typeof fresh === 'string') setToken(fresh);
  return response;
}

// GraphiQL looks at a document a moment after it has changed. Who changes the tab
// and runs it within that moment would send the new document under the old name.
function current(params, options) {
  let documentAST;
  try {
    documentAST = parse(params.query);
  } catch {
    return [params, options]; // the server says what is wrong
  }
  const names = documentAST.definitions.filter((d) => d.kind === 'OperationDefinition').map((d) => d.name?.value);
  const operationName = names.includes(params.operationName) ? params.operationName : names[0];
  return [{ ...params, operationName }, { ...options, documentAST }];
}

export function fetcher(asked, given = {}) {
  const [params, options] = current(asked, given);
  // The schema is everybody's, also of those whose token has expired.
  const headers = params.operationName === 'IntrospectionQuery' ? options.headers : withToken(options.headers);
  const authorization = Object.entries(headers ?? {}).find(([name]) => name.toLowerCase() === 'authorization')?.[1];
  const over = createGraphiQLFetcher({ url: address.href, fetch: send, wsClient: socketOf(authorization) });
  return over(params, { ...options, headers });
}
