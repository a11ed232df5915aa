import { useMutation } from '@apollo/client/react';
import { useId, useRef, useState, type FormEvent } from 'react';
import { Link, useLocation, useSearchParams } from 'wouter';
import { newCommandId } from '../api/command';
import { codeOf, explain } from '../api/errors';
import { PageHead } from '../components/page';
import { graphql } from '../gql';
import { useSession } from '../session';

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

/** Where the reader wanted to be: a path of this page, and nothing else. */
export function nextOf(search: URLSearchParams): string {
  const next = search.get('next') ?? '/';
  return /^\/(?![/\\])/.test(next) ? next : '/';
}

/** The way in, for those who have an account and those who make one. */
export function LogIn({ fresh }: { fresh: boolean }) {
  const { expired } = useSession();
  const [search] = useSearchParams();
  const next = search.get('next');
  const other = (fresh ? '/login' : '/register') + (next ? `?next=${encodeURIComponent(next)}` : '');
  return (
    <div className="entry">
      <PageHead title={fresh ? 'Join Chirp' : 'Log in'} />
      {expired && !fresh && (
        <p className="notice" role="status">
          Your session has ended. Log in again, and you are back where you were.
        </p>
      )}
      <EntryForm key={String(fresh)} fresh={fresh} />
      <p className="quiet">
        {fresh ? 'Have an account already? ' : 'New here? '}
        <Link href={other}>{fresh ? 'Log in' : 'Make an account'}</Link>
      </p>
    </div>
  );
}

function EntryForm({ fresh }: { fresh: boolean }) {
  const { enter, busy, error } = useEntry(fresh);
  const [username, setUsername] = useState('');
  const [password, setPassword] = useState('');
  const name = useId();
  const word = useId();
  const hint = useId();
  const submit = (event: FormEvent) => {
    event.preventDefault();
    void enter(username.trim(), password);
  };
  return (
    <form className="entry-form" onSubmit={submit}>
      <label htmlFor={name}>Name</label>
      <input id={name} name="username" value={username} onChange={(event) => setUsername(event.target.value)} required pattern={fresh ? '[A-Za-z0-9_]{1,15}' : undefined} title="1 to 15 letters, digits and underscores" autoComplete="username" autoCapitalize="none" spellCheck={false} aria-describedby={fresh ? `${hint}-name` : undefined} />
      {fresh && (
        <p className="quiet" id={`${hint}-name`}>
          1 to 15 letters from A to Z, digits and underscores.
        </p>
      )}
      <label htmlFor={word}>Password</label>
      <input id={word} name="password" type="password" value={password} onChange={(event) => setPassword(event.target.value)} required minLength={fresh ? 8 : undefined} autoComplete={fresh ? 'new-password' : 'current-password'} aria-describedby={fresh ? `${hint}-word` : undefined} />
      {fresh && (
        <p className="quiet" id={`${hint}-word`}>
          At least 8 characters.
        </p>
      )}
      <div role="alert">{error ? <p className="problem">{words(error, fresh)}</p> : null}</div>
      <button type="submit" className="button primary" disabled={busy}>
        {busy ? 'One moment…' : fresh ? 'Join' : 'Log in'}
      </button>
    </form>
  );
}

function words(error: unknown, fresh: boolean): string {
  if (codeOf(error) === 'UNAUTHENTICATED') return fresh ? 'Somebody has that name already.' : 'The name or the password is wrong.';
  return explain(error).text;
}

// useEntry registers or logs in, and goes on to where the reader wanted to be. Another
// attempt at the same account is the same command, so that it succeeds if only the
// answer to the first one was lost.
function useEntry(fresh: boolean) {
  const { logIn } = useSession();
  const [, navigate] = useLocation();
  const [search] = useSearchParams();
  const options = { context: { anonymous: true } };
  const [login, { loading: logging, error: loginError }] = useMutation(LogInDocument, options);
  const [register, { loading: registering, error: registerError }] = useMutation(RegisterDocument, options);
  const attempt = useRef({ username: '', password: '', commandId: '' });
  const token = async (username: string, password: string) => {
    if (!fresh) return (await login({ variables: { input: { username, password } } })).data?.logIn?.token;
    const last = attempt.current;
    if (last.username !== username || last.password !== password) attempt.current = { username, password, commandId: newCommandId() };
    return (await register({ variables: { input: attempt.current } })).data?.registerUser?.token;
  };
  const enter = async (username: string, password: string) => {
    try {
      const fresh = await token(username, password);
      if (!fresh) return;
      navigate(nextOf(search), { replace: true });
      logIn(fresh);
    } catch {
      // error has it
    }
  };
  return { enter, busy: logging || registering, error: loginError ?? registerError };
}
