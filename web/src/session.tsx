import { ApolloProvider } from '@apollo/client/react';
import { createContext, useCallback, useContext, useEffect, useMemo, useRef, useState, useSyncExternalStore, type ReactNode } from 'react';
import { connect, type Chirp } from './api/client';
import type { Connection } from './api/socket';

const KEY = 'chirp-token';

interface Session {
  token: string | null;
  /** Whether the last session ended because the server no longer took its token. */
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
 * Keeps who is logged in, in this tab and in all others of this browser, and gives each
 * session a client and a cache of its own: what one user saw is not for the next.
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
    if (localStorage.getItem(KEY) === old) localStorage.removeItem(KEY); // else there is a newer one
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

function useThere<T>(context: React.Context<T | null>): T {
  const value = useContext(context);
  if (value === null) throw new Error('there is no SessionProvider above');
  return value;
}

/** Who is logged in. */
export function useSession(): Session {
  return useThere(SessionContext);
}

/** What the session talks to the server with. */
export function useChirp(): Chirp {
  return useThere(ChirpContext);
}

/** How the live connection stands. */
export function useConnection(): Connection {
  const { socket } = useChirp();
  return useSyncExternalStore(socket.listen, () => socket.state);
}

/** Whether the browser has a network at all. */
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
