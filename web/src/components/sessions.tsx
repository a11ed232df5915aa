import { useMutation, useQuery } from '@apollo/client/react';
import { useCallback, useRef, useState } from 'react';
import { explain } from '../api/errors';
import { graphql, unmask, type FragmentType } from '../gql';
import type { SessionRow_SessionFragment } from '../gql/graphql';
import { programOf } from '../text/agents';
import { inFull } from '../text/words';
import { Failure, Loading } from './states';
import { TimeAgo } from './time';

const SessionFragment = graphql(`
  fragment SessionRow_session on Session {
    id
    startedAt
    lastUsedAt
    address
    userAgent
    isCurrent
  }
`);

const SessionsDocument = graphql(`
  query Sessions {
    viewer {
      id
      sessions {
        id
        ...SessionRow_session
      }
    }
  }
`);

const EndSessionDocument = graphql(`
  mutation EndSession($input: EndSessionInput!) {
    endSession(input: $input) {
      user {
        id
        sessions {
          id
          ...SessionRow_session
        }
      }
    }
  }
`);

const EndOtherSessionsDocument = graphql(`
  mutation EndOtherSessions($input: EndAllSessionsInput!) {
    endAllSessions(input: $input) {
      user {
        id
        sessions {
          id
          ...SessionRow_session
        }
      }
    }
  }
`);

/** The list of the user's sessions, each of which can be ended. */
export function Sessions() {
  const { data, error, refetch } = useQuery(SessionsDocument, { fetchPolicy: 'cache-and-network' });
  const { end, endOthers, busy, problem, said } = useEnding();
  const title = useRef<HTMLHeadingElement>(null);
  const retry = useCallback(() => void refetch().catch(() => {}), [refetch]); // error is set
  const masked: readonly FragmentType<typeof SessionFragment>[] = data?.viewer?.sessions ?? [];
  const sessions = unmask(SessionFragment, masked);
  const ending = (request: Promise<void>) => void request.then(() => title.current?.focus()); // the button is gone
  return (
    <section aria-labelledby="sessions-title">
      <h2 className="section" id="sessions-title" tabIndex={-1} ref={title}>
        Sessions
      </h2>
      {!data && !error && <Loading what="sessions" rows={2} />}
      {!data && error && <Failure error={error} retry={retry} />}
      <ul className="list">
        {sessions.map((session) => (
          <li key={session.id}>
            <SessionRow session={session} busy={busy} onEnd={() => ending(end(session))} />
          </li>
        ))}
      </ul>
      <div className="session-foot">
        {sessions.some((session) => !session.isCurrent) && (
          <button type="button" className="button" disabled={busy} onClick={() => ending(endOthers())}>
            End all other sessions
          </button>
        )}
        <p className="quiet" role="status">
          {said}
        </p>
        <div role="alert">{problem ? <p className="problem">{explain(problem).text}</p> : null}</div>
      </div>
    </section>
  );
}

function useEnding() {
  const [said, setSaid] = useState('');
  const [endOne, one] = useMutation(EndSessionDocument);
  const [endAll, all] = useMutation(EndOtherSessionsDocument);
  const after = async (request: Promise<unknown>, text: string) => {
    setSaid('');
    try {
      await request;
      setSaid(text);
    } catch {
      // error is set
    }
  };
  return {
    end: (session: SessionRow_SessionFragment) => after(endOne({ variables: { input: { sessionId: session.id } } }), `The session on ${programOf(session.userAgent)} has ended.`),
    endOthers: () => after(endAll({ variables: { input: { keepCurrent: true } } }), 'All other sessions have ended.'),
    busy: one.loading || all.loading,
    problem: one.error ?? all.error,
    said,
  };
}

interface SessionRowProps {
  session: SessionRow_SessionFragment;
  busy: boolean;
  onEnd(): void;
}

function SessionRow({ session, busy, onEnd }: SessionRowProps) {
  const program = programOf(session.userAgent);
  const started = inFull(new Date(session.startedAt));
  return (
    <article className="session" aria-label={`${program}, started ${started}`}>
      <div>
        <p className="name" title={session.userAgent}>
          {program}
        </p>
        <p className="quiet">
          {session.address || 'Unknown address'} · used <TimeAgo at={session.lastUsedAt} />
        </p>
        <p className="quiet">
          Started <time dateTime={session.startedAt}>{started}</time>
        </p>
      </div>
      {session.isCurrent ? (
        <p className="this">This one</p>
      ) : (
        <button type="button" className="button" disabled={busy} onClick={onEnd}>
          End<span className="hidden"> the session on {program}, started {started}</span>
        </button>
      )}
    </article>
  );
}
