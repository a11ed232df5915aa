import { useMutation } from '@apollo/client/react';
import { useEffect, useId, useRef, useState, type FormEvent } from 'react';
import { useLocation } from 'wouter';
import { useHistoryState } from 'wouter/use-browser-location';
import { explain } from '../api/errors';
import { graphql } from '../gql';
import { useSession } from '../session';
import { useViewer } from '../viewer';
import { Sessions } from './sessions';

const ChangePasswordDocument = graphql(`
  mutation ChangePassword($input: ChangePasswordInput!) {
    changePassword(input: $input) {
      token
    }
  }
`);

/** The state of the page's history entry. It outlasts the session that the new password ends. */
interface PageState {
  changed?: boolean;
}

/** The user's sessions and password. */
export default function AccountDetails() {
  return (
    <>
      <Sessions />
      <section aria-labelledby="password-title">
        <h2 className="section" id="password-title">
          Password
        </h2>
        <PasswordChanged />
        <PasswordForm />
      </section>
    </>
  );
}

function PasswordChanged() {
  const changed = useHistoryState<PageState>()?.changed ?? false;
  const notice = useRef<HTMLParagraphElement>(null);
  useEffect(() => {
    if (changed) notice.current?.focus();
  }, [changed]);
  if (!changed) return null;
  return (
    <p className="notice" role="status" tabIndex={-1} ref={notice}>
      Your password is changed, and all other sessions have ended.
    </p>
  );
}

function PasswordForm() {
  const viewer = useViewer();
  const [current, setCurrent] = useState('');
  const [fresh, setFresh] = useState('');
  const { change, busy, error } = useChangePassword();
  const id = useId();
  const submit = (event: FormEvent) => {
    event.preventDefault();
    void change(current, fresh);
  };
  return (
    <form className="entry-form" onSubmit={submit}>
      <input className="hidden" name="username" value={viewer?.username ?? ''} autoComplete="username" readOnly tabIndex={-1} aria-hidden="true" />
      <p className="quiet" id={`${id}-hint`}>
        A new password has at least 8 characters, and ends all other sessions.
      </p>
      <label htmlFor={`${id}-current`}>Current password</label>
      <input id={`${id}-current`} type="password" value={current} onChange={(event) => setCurrent(event.target.value)} required autoComplete="current-password" />
      <label htmlFor={`${id}-new`}>New password</label>
      <input id={`${id}-new`} type="password" value={fresh} onChange={(event) => setFresh(event.target.value)} required minLength={8} autoComplete="new-password" aria-describedby={`${id}-hint`} />
      <div role="alert">{error ? <p className="problem">{explain(error).text}</p> : null}</div>
      <button type="submit" className="button primary" disabled={busy}>
        {busy ? 'One moment…' : 'Change password'}
      </button>
    </form>
  );
}

function useChangePassword() {
  const { replaceToken } = useSession();
  const [, navigate] = useLocation();
  const [mutate, { loading, error }] = useMutation(ChangePasswordDocument);
  const change = async (currentPassword: string, newPassword: string) => {
    try {
      await replaceToken(async () => {
        const { data } = await mutate({ variables: { input: { currentPassword, newPassword } } });
        const token = data?.changePassword?.token;
        if (token) navigate('/account', { replace: true, state: { changed: true } satisfies PageState });
        return token;
      });
    } catch {
      // error is set
    }
  };
  return { change, busy: loading, error };
}
