import { ApolloLink, CombinedGraphQLErrors } from '@apollo/client';
import { print } from 'graphql';
import { createClient, type Client } from 'graphql-ws';
import { Observable } from 'rxjs';
import type { Bearer } from './links';

/** The state of the live connection. It is idle while there is no subscription. */
export type Connection = 'idle' | 'connecting' | 'live' | 'lost';

const FORBIDDEN = 4403; // the token is not valid or has expired
const NORMAL = 1000;
const PING_INTERVAL = 10_000; // ms
const MAX_BACKOFF = 8_000; // ms

/**
 * The live connection: one socket for all subscriptions, which reconnects automatically,
 * as many times as it takes.
 */
export class Socket {
  readonly link: ApolloLink;
  #state: Connection = 'idle';
  #listeners = new Set<() => void>();
  #client: Client;

  constructor(url: string, bearer: Bearer) {
    this.#client = this.#connect(url, bearer);
    this.link = liveLink(this.#client);
  }

  get state(): Connection {
    return this.#state;
  }

  /** Calls the listener on each change of state, until the returned function is called. */
  listen = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  close(): void {
    this.#listeners.clear();
    void this.#client.dispose();
  }

  #set(state: Connection): void {
    if (state === this.#state) return;
    this.#state = state;
    for (const listener of [...this.#listeners]) listener();
  }

  #connect(url: string, bearer: Bearer): Client {
    let pongTimeout: ReturnType<typeof setTimeout> | undefined;
    const client = createClient({
      url,
      connectionParams: () => (bearer.token ? { authorization: `Bearer ${bearer.token}` } : {}),
      lazyCloseTimeout: 2_000,
      keepAlive: PING_INTERVAL,
      retryAttempts: Infinity,
      retryWait: (attempt) => waitOrOnline(Math.min(400 * 2 ** attempt, MAX_BACKOFF) * (0.5 + Math.random() / 2)),
      shouldRetry: (reason) => !(isClose(reason) && reason.code === FORBIDDEN),
      on: {
        connecting: (isRetry) => this.#set(isRetry || this.#state === 'lost' ? 'lost' : 'connecting'),
        connected: () => this.#set('live'),
        // A network can fail without closing the socket; then no pong arrives.
        ping: (received) => {
          if (!received) pongTimeout = setTimeout(() => client.terminate(), PING_INTERVAL / 2);
        },
        pong: (received) => {
          if (received) clearTimeout(pongTimeout);
        },
        closed: (event) => {
          clearTimeout(pongTimeout);
          const code = isClose(event) ? event.code : 0;
          if (code === FORBIDDEN) bearer.expire();
          this.#set(code === NORMAL ? 'idle' : 'lost');
        },
      },
    });
    return client;
  }
}

function isClose(event: unknown): event is { code: number; reason: string } {
  return typeof event === 'object' && event !== null && 'code' in event && 'reason' in event;
}

// waitOrOnline waits for a delay, or until the browser reports that it is online again.
function waitOrOnline(ms: number): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      window.removeEventListener('online', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    window.addEventListener('online', done);
  });
}

/**
 * Subscribes over the socket. After a lost connection graphql-ws sends the same payload
 * again. Its variables are evaluated each time, so that an operation whose context has
 * `resume` continues where it left off instead of starting over.
 */
export function liveLink(client: Pick<Client, 'subscribe'>): ApolloLink {
  return new ApolloLink(
    (operation) =>
      new Observable((observer) => {
        const resume = operation.getContext().resume as (() => Record<string, unknown>) | undefined;
        const payload = {
          operationName: operation.operationName,
          query: print(operation.query),
          get variables() {
            return { ...operation.variables, ...resume?.() };
          },
        };
        return client.subscribe(payload, {
          next: (result) => observer.next(result as ApolloLink.Result),
          error: (reason) => observer.error(asError(reason)),
          complete: () => observer.complete(),
        });
      }),
  );
}

function asError(reason: unknown): unknown {
  if (Array.isArray(reason)) return new CombinedGraphQLErrors({ errors: reason });
  if (isClose(reason)) return new Error(`the live connection was closed: ${reason.code} ${reason.reason}`);
  return reason;
}
