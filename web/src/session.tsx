import { ApolloProvider } from '@apollo/client/react';
import { createContext, useCallback, useContext, useEffect, useMemo, useRef, useState, useSyncExternalStore, type ReactNode } from 'react';
import { connect, type Chirp } from './api/client';
import type { Connection } from './api/socket';
import { graphql } from './gql';

const KEY = 'chirp-token';
const CHANGES_UNTIL = 'chirp-token-changes-until';
const CHANGE_TIME = 20_000; // ms, in which the token that ends the old one arrives, or never
const LOG_OUT_TIME = 2_000; // ms, in which the server ends the session, or the browser forgets it alone
const CHECK_TIME = 250; // ms

const LogOutDocument = graphql(`
  mutation LogOut($input: EndSessionInput!) {
    endSession(input: $input) {
      sessionId
    }
  }
`);

interface Session {
  token: string | null;
  /** Whether the last session ended because the server no longer accepted its token. */
  expired: boolean;
  logIn(token: string): void;
  logOut(): Promise<void>;
  /** Runs a request that ends the token and returns a new one. In the meantime no tab logs out because the old one is refused. */
  replaceToken(request: () => Promise<string | undefined>): Promise<void>;
}

const SessionContext = createContext<Session | null>(null);
const ChirpContext = createContext<Chirp | null>(null);

interface State {
  token: string | null;
  expired: boolean;
}

/**
 * Tracks who is logged in, across all tabs of the browser. Each session has its own client
 * and cache, so that one user never sees what was loaded for another.
 */
export function SessionProvider({ children }: { children: ReactNode }) {
  const [{ token, expired }, setState] = useState<State>(() => ({ token: localStorage.getItem(KEY), expired: false }));
  const logIn = useCallback((fresh: string) => {
    localStorage.setItem(KEY, fresh);
    setState({ token: fresh, expired: false });
  }, []);
  useEffect(() => {
    const follow = (event: StorageEvent) => {
      if (event.key === KEY || event.key === null) setState({ token: localStorage.getItem(KEY), expired: false });
    };
    window.addEventListener('storage', follow);
    return () => window.removeEventListener('storage', follow);
  }, []);
  const expire = useCallback((old: string | null) => {
    if (Number(localStorage.getItem(CHANGES_UNTIL)) > Date.now()) return void setTimeout(() => expire(old), CHECK_TIME);
    if (localStorage.getItem(KEY) === old) localStorage.removeItem(KEY);
    const newer = localStorage.getItem(KEY);
    setState((now) => (now.token === old ? { token: newer, expired: !newer } : now));
  }, []);
  const replaceToken = useCallback(
    (request: () => Promise<string | undefined>) =>
      changing(CHANGE_TIME, async () => {
        const fresh = await request();
        if (fresh) logIn(fresh);
      }),
    [logIn],
  );
  const chirp = useMemo(() => connect({ token, expire: () => expire(token) }), [token, expire]);
  const logOut = useCallback(
    () =>
      changing(LOG_OUT_TIME, async () => {
        await Promise.race([endOwnSession(chirp, token), new Promise((resolve) => setTimeout(resolve, LOG_OUT_TIME))]);
        localStorage.removeItem(KEY);
        setState({ token: null, expired: false });
      }),
    [chirp, token],
  );
  const last = useRef(chirp);
  useEffect(() => {
    if (last.current !== chirp) last.current.close();
    last.current = chirp;
  }, [chirp]);
  const session = useMemo(() => ({ token, expired, logIn, logOut, replaceToken }), [token, expired, logIn, logOut, replaceToken]);
  return (
    <SessionContext value={session}>
      <ChirpContext value={chirp}>
        <ApolloProvider client={chirp.client} key={token ?? ''}>
          {children}
        </ApolloProvider>
      </ChirpContext>
    </SessionContext>
  );
}

// changing runs a request that ends the token. Until it is done, no tab takes the end for
// an expired session.
async function changing(time: number, request: () => Promise<void>): Promise<void> {
  localStorage.setItem(CHANGES_UNTIL, String(Date.now() + time));
  try {
    await request();
  } finally {
    localStorage.removeItem(CHANGES_UNTIL);
  }
}

// endOwnSession ends the token's session on the server, if that can be reached.
async function endOwnSession({ client }: Chirp, token: string | null): Promise<void> {
  try {
    const { sid } = JSON.parse(atob(token!.split('.')[1]!.replaceAll('-', '+').replaceAll('_', '/'))) as { sid?: string };
    if (sid) await client.mutate({ mutation: LogOutDocument, variables: { input: { sessionId: sid } } });
  } catch {
    // The browser forgets the token all the same.
  }
}

function useRequired<T>(context: React.Context<T | null>): T {
  const value = useContext(context);
  if (value === null) throw new Error('this hook needs a SessionProvider');
  return value;
}

/** Returns the session: who is logged in, if anyone. */
export function useSession(): Session {
  return useRequired(SessionContext);
}

/** Returns the session's connection to the server. */
export function useChirp(): Chirp {
  return useRequired(ChirpContext);
}

/** Returns the state of the live connection. */
export function useConnection(): Connection {
  const { socket } = useChirp();
  return useSyncExternalStore(socket.listen, () => socket.state);
}

/** Reports whether the browser is online. */
export function useOnline(): boolean {
  return useSyncExternalStore(watchNetwork, () => navigator.onLine);
}

function watchNetwork(listener: () => void): () => void {
  window.addEventListener('online', listener);
  window.addEventListener('offline', listener);
  return () => {
    window.removeEventListener('online', listener);
    window.removeEventListener('offline', listener);
  };
}
