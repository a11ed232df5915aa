import { useMutation } from '@apollo/client/react';
import { useId, useRef, useState, type FormEvent } from 'react';
import { Link, useLocation, useSearchParams } from 'wouter';
import { newCommandId } from '../api/command';
import { codeOf, explain } from '../api/errors';
import { PageHead } from '../components/page';
import { graphql } from '../gql';
import { useSession } from '../session';
import { localPath } from '../text/next';

const LogInDocument = graphql(`
  mutation LogIn($input: LogInInput!) {
    logIn(input: $input) {
      token
    }
  }
`);

const RegisterDocument = graphql(`
  mutation Register($input: RegisterUserInput!) {
    registerUser(input: $input) {
      token
      position
    }
  }
`);

/** Returns where the reader wanted to go: always a path on this site. */
export function nextOf(search: URLSearchParams): string {
  return localPath(search.get('next'), location.origin);
}

/** The page for logging in or, with `registering`, for creating an account. */
export function LogIn({ registering }: { registering: boolean }) {
  const { expired } = useSession();
  const [search] = useSearchParams();
  const next = search.get('next');
  const other = (registering ? '/login' : '/register') + (next ? `?next=${encodeURIComponent(next)}` : '');
  return (
    <div className="entry">
      <PageHead title={registering ? 'Join Chirp' : 'Log in'} />
      {expired && !registering && (
        <p className="notice" role="status">
          Your session has ended. Log in again to return to where you were.
        </p>
      )}
      <EntryForm key={String(registering)} registering={registering} />
      <p className="quiet">
        {registering ? 'Already have an account? ' : 'New here? '}
        <Link href={other}>{registering ? 'Log in' : 'Create an account'}</Link>
      </p>
    </div>
  );
}

function EntryForm({ registering }: { registering: boolean }) {
  const { enter, busy, error } = useEntry(registering);
  const [username, setUsername] = useState('');
  const [password, setPassword] = useState('');
  const nameId = useId();
  const passwordId = useId();
  const hintId = useId();
  const submit = (event: FormEvent) => {
    event.preventDefault();
    void enter(username.trim(), password);
  };
  return (
    <form className="entry-form" onSubmit={submit}>
      <label htmlFor={nameId}>Name</label>
      <input id={nameId} name="username" value={username} onChange={(event) => setUsername(event.target.value)} required pattern={registering ? '[A-Za-z0-9_]{1,15}' : undefined} title="1 to 15 letters, digits and underscores" autoComplete="username" autoCapitalize="none" spellCheck={false} aria-describedby={registering ? `${hintId}-name` : undefined} />
      {registering && (
        <p className="quiet" id={`${hintId}-name`}>
          1 to 15 letters from A to Z, digits and underscores.
        </p>
      )}
      <label htmlFor={passwordId}>Password</label>
      <input id={passwordId} name="password" type="password" value={password} onChange={(event) => setPassword(event.target.value)} required minLength={registering ? 8 : undefined} autoComplete={registering ? 'new-password' : 'current-password'} aria-describedby={registering ? `${hintId}-password` : undefined} />
      {registering && (
        <p className="quiet" id={`${hintId}-password`}>
          At least 8 characters.
        </p>
      )}
      <div role="alert">{error ? <p className="problem">{errorText(error, registering)}</p> : null}</div>
      <button type="submit" className="button primary" disabled={busy}>
        {busy ? 'One moment…' : registering ? 'Join' : 'Log in'}
      </button>
    </form>
  );
}

function errorText(error: unknown, registering: boolean): string {
  if (codeOf(error) === 'UNAUTHENTICATED') return registering ? 'That name is already taken.' : 'The name or password is wrong.';
  return explain(error).text;
}

// useEntry registers or logs in, and then goes to where the reader wanted to go. Another
// attempt to register the same account has the same command id, so that it succeeds if
// only the response to the first was lost.
function useEntry(registering: boolean) {
  const { logIn } = useSession();
  const [, navigate] = useLocation();
  const [search] = useSearchParams();
  const options = { context: { anonymous: true } };
  const [login, { loading: loginLoading, error: loginError }] = useMutation(LogInDocument, options);
  const [register, { loading: registerLoading, error: registerError }] = useMutation(RegisterDocument, options);
  const attempt = useRef({ username: '', password: '', commandId: '' });
  const requestToken = async (username: string, password: string) => {
    if (!registering) return (await login({ variables: { input: { username, password } } })).data?.logIn?.token;
    const last = attempt.current;
    if (last.username !== username || last.password !== password) attempt.current = { username, password, commandId: newCommandId() };
    return (await register({ variables: { input: attempt.current } })).data?.registerUser?.token;
  };
  const enter = async (username: string, password: string) => {
    try {
      const token = await requestToken(username, password);
      if (!token) return;
      navigate(nextOf(search), { replace: true });
      logIn(token);
    } catch {
      // error is set
    }
  };
  return { enter, busy: loginLoading || registerLoading, error: loginError ?? registerError };
}
