import { ApolloLink, CombinedGraphQLErrors } from '@apollo/client';
import { print } from 'graphql';
import { createClient, type Client } from 'graphql-ws';
import { Observable } from 'rxjs';
import type { Bearer } from './links';

/** How the live connection stands. It is idle while nothing needs one. */
export type Connection = 'idle' | 'connecting' | 'live' | 'lost';

const FORBIDDEN = 4403; // the token is not good, or no longer
const NORMAL = 1000;
const PING = 10_000;
const LONGEST_WAIT = 8_000;

/**
 * The live connection: one socket for all subscriptions, which comes back by itself
 * after it was lost, as often as it takes.
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

  /** Calls back on each change of state, until the function it gives is called. */
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
    let silence: ReturnType<typeof setTimeout> | undefined;
    const client = createClient({
      url,
      connectionParams: () => (bearer.token ? { authorization: `Bearer ${bearer.token}` } : {}),
      lazyCloseTimeout: 2_000,
      keepAlive: PING,
      retryAttempts: Infinity,
      retryWait: (attempt) => pause(Math.min(400 * 2 ** attempt, LONGEST_WAIT) * (0.5 + Math.random() / 2)),
      shouldRetry: (reason) => !(isClose(reason) && reason.code === FORBIDDEN),
      on: {
        connecting: (again) => this.#set(again || this.#state === 'lost' ? 'lost' : 'connecting'),
        connected: () => this.#set('live'),
        // A network can die without a word. Then no pong comes.
        ping: (received) => {
          if (!received) silence = setTimeout(() => client.terminate(), PING / 2);
        },
        pong: (received) => {
          if (received) clearTimeout(silence);
        },
        closed: (event) => {
          clearTimeout(silence);
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

// pause waits, but no longer than until the browser says that it is online again.
function pause(ms: number): Promise<void> {
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
 * Subscribes over the socket. After a lost connection graphql-ws sends the same message
 * again; the variables in it are read anew each time, so that an operation whose
 * context has `resume` goes on from where it was and not from where it began.
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
