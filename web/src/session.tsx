import { ApolloProvider } from '@apollo/client/react';
import { createContext, useCallback, useContext, useEffect, useMemo, useRef, useState, useSyncExternalStore, type ReactNode } from 'react';
import { connect, type Chirp } from './api/client';
import type { Connection } from './api/socket';

const KEY = 'chirp-token';

interface Session {
  token: string | null;
  /** Whether the last session ended because the server no longer accepted its token. */
  expired: boolean;
  logIn(token: string): void;
  logOut(): void;
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
  const logOut = useCallback(() => {
    localStorage.removeItem(KEY);
    setState({ token: null, expired: false });
  }, []);
  useEffect(() => {
    const follow = (event: StorageEvent) => {
      if (event.key === KEY || event.key === null) setState({ token: localStorage.getItem(KEY), expired: false });
    };
    window.addEventListener('storage', follow);
    return () => window.removeEventListener('storage', follow);
  }, []);
  const expire = useCallback((old: string | null) => {
    if (localStorage.getItem(KEY) === old) localStorage.removeItem(KEY); // otherwise it is already a newer one
    setState((now) => (now.token === old ? { token: localStorage.getItem(KEY), expired: true } : now));
  }, []);
  const chirp = useMemo(() => connect({ token, expire: () => expire(token) }), [token, expire]);
  const last = useRef(chirp);
  useEffect(() => {
    if (last.current !== chirp) last.current.close();
    last.current = chirp;
  }, [chirp]);
  const session = useMemo(() => ({ token, expired, logIn, logOut }), [token, expired, logIn, logOut]);
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
