import { useMutation } from '@apollo/client/react';
import { useId, useRef, useState, type KeyboardEvent } from 'react';
import { newCommandId } from '../api/command';
import { explain } from '../api/errors';
import { graphql } from '../gql';
import type { PostChirpMutation } from '../gql/graphql';
import { judge, MAX_CONTENT, type Verdict } from '../text/content';
import { Avatar } from './avatar';

const PostDocument = graphql(`
  mutation PostChirp($input: PostChirpInput!) {
    postChirp(input: $input) {
      position
      chirp {
        id
        ...ChirpCard_chirp
      }
    }
  }
`);

/** A chirp that was just posted. */
export type Posted = NonNullable<PostChirpMutation['postChirp']>['chirp'];

/** The id of the text field, for who wants to send the reader there. */
export const COMPOSE = 'compose';
const DRAFT = 'chirp-draft';
const CLOSE = 20; // code points left from which the counter speaks

/** Where chirps are written. A draft outlives a reload and a session that expires. */
export function Compose({ username, onPosted }: { username: string; onPosted(chirp: Posted): void }) {
  const [text, setText] = useState(() => sessionStorage.getItem(DRAFT) ?? '');
  const { post, busy, error } = usePost((chirp) => {
    change('');
    onPosted(chirp);
  });
  const hint = useId();
  const verdict = judge(text);
  const change = (next: string) => {
    setText(next);
    sessionStorage.setItem(DRAFT, next);
  };
  const submit = () => {
    if (!verdict.problem && !busy) void post(verdict.text);
  };
  const keys = (event: KeyboardEvent) => {
    if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) submit();
  };
  return (
    <form
      className="compose"
      onSubmit={(event) => {
        event.preventDefault();
        submit();
      }}
    >
      <Avatar name={username} />
      <div className="compose-body">
        <label htmlFor={COMPOSE} className="hidden">
          Write a chirp
        </label>
        <textarea
          id={COMPOSE}
          value={text}
          rows={2}
          placeholder="What is going on?"
          aria-describedby={hint}
          aria-invalid={isWrong(verdict)}
          onChange={(event) => change(event.target.value)}
          onKeyDown={keys}
        />
        <div className="compose-foot">
          <Counter verdict={verdict} id={hint} />
          <button type="submit" className="button primary" disabled={verdict.problem !== null || busy}>
            {busy ? 'Posting…' : 'Chirp'}
          </button>
        </div>
        <div role="alert">{error ? <p className="problem">{explain(error).text} Your text is still here.</p> : null}</div>
      </div>
    </form>
  );
}

// usePost posts a text. Another attempt at the same text is the same command: if only
// the answer was lost, the chirp is not posted twice.
function usePost(done: (chirp: Posted) => void) {
  const [mutate, { loading, error }] = useMutation(PostDocument);
  const attempt = useRef({ content: '', commandId: '' });
  const post = async (content: string) => {
    if (attempt.current.content !== content) attempt.current = { content, commandId: newCommandId() };
    try {
      const { data } = await mutate({ variables: { input: attempt.current } });
      attempt.current = { content: '', commandId: '' };
      if (data?.postChirp) done(data.postChirp.chirp);
    } catch {
      // error has it
    }
  };
  return { post, busy: loading, error };
}

function isWrong({ problem }: Verdict): boolean {
  return problem !== null && problem !== 'empty';
}

const PROBLEMS = {
  control: 'There is a control character in it, maybe a tab. Take it out.',
  broken: 'Half of a character is missing. Delete it and type it again.',
  marks: 'There are more than 30 accents on one letter. Take some off.',
  invisible: 'There is nothing in it that can be seen.',
  empty: null, // which is no news to who has not begun
  long: null, // which the count says
};

function Counter({ verdict: { count, problem }, id }: { verdict: Verdict; id: string }) {
  const left = MAX_CONTENT - count;
  const why = problem && PROBLEMS[problem];
  const look = left < 0 ? 'over' : left <= CLOSE ? 'close' : '';
  return (
    <p className="counter" id={id}>
      {why && <span className="problem">{why} </span>}
      <span className={look}>
        {count}
        <span className="hidden"> of</span>
        <span aria-hidden="true"> / </span>
        {MAX_CONTENT}
      </span>
      <span className="hidden" role="status">
        {left < 0 ? `${-left} too many` : left <= CLOSE ? `${left} left` : ''}
      </span>
    </p>
  );
}
