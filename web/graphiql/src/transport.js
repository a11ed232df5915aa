// GraphiQL's connection to the server: queries and mutations by POST, subscriptions over a
// WebSocket, both authenticated by the token.
import { createGraphiQLFetcher } from '@graphiql/toolkit';
import { parse } from 'graphql';
import { createClient } from 'graphql-ws';

const KEY = 'chirp-token'; // in session storage, until the tab is closed
let token = sessionStorage.getItem(KEY) ?? '';
const watchers = new Set();

export const currentToken = () => token;

export function setToken(next) {
  token = next.trim().replace(/^Bearer\s+/i, '');
  sessionStorage.setItem(KEY, token);
  for (const watcher of watchers) watcher();
}

export function watchToken(watcher) {
  watchers.add(watcher);
  return () => watchers.delete(watcher);
}

// The headers editor takes precedence over the token field.
function withToken(headers = {}) {
  const isSet = Object.keys(headers).some((name) => name.toLowerCase() === 'authorization');
  return isSet || token === '' ? headers : { ...headers, Authorization: `Bearer ${token}` };
}

const address = new URL('/graphql', location.href);
const socketAddress = new URL(address);
socketAddress.protocol = address.protocol === 'https:' ? 'wss:' : 'ws:';

// One socket carries all subscriptions of a caller.
let socket;
function socketOf(authorization) {
  if (!socket || socket.authorization !== authorization) {
    socket?.client.dispose();
    const connectionParams = authorization ? { authorization } : {};
    const shouldRetry = ({ code }) => code !== 4403; // 4403: the token is not valid or has expired
    socket = { authorization, client: createClient({ url: socketAddress.href, connectionParams, retryAttempts: 3, shouldRetry }) };
  }
  return socket.client;
}

// After registering or logging in, the new token is used from then on.
async function send(url, init) {
  const response = await fetch(url, init);
  const result = await response.clone().json().catch(() => null);
  const issued = result?.data?.registerUser?.token ?? result?.data?.logIn?.token;
  if (typeof issued === 'string') setToken(issued);
  return response;
}

// GraphiQL parses a document a moment after it has changed. Running it within that moment,
// for example after switching tabs, would send the new document with the old operation name.
function current(params, options) {
  let documentAST;
  try {
    documentAST = parse(params.query);
  } catch {
    return [params, options]; // the server reports the error
  }
  const names = documentAST.definitions.filter((d) => d.kind === 'OperationDefinition').map((d) => d.name?.value);
  const operationName = names.includes(params.operationName) ? params.operationName : names[0];
  return [{ ...params, operationName }, { ...options, documentAST }];
}

export function fetcher(request, requestOptions = {}) {
  const [params, options] = current(request, requestOptions);
  // The schema is public. Introspection without the token works even if the token has expired.
  const headers = params.operationName === 'IntrospectionQuery' ? options.headers : withToken(options.headers);
  const authorization = Object.entries(headers ?? {}).find(([name]) => name.toLowerCase() === 'authorization')?.[1];
  const fetchWith = createGraphiQLFetcher({ url: address.href, fetch: send, wsClient: socketOf(authorization) });
  return fetchWith(params, { ...options, headers });
}
