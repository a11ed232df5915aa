import { useMutation } from '@apollo/client/react';
import { useId, useRef, useState, type KeyboardEvent } from 'react';
import { newCommandId } from '../api/command';
import { explain } from '../api/errors';
import { graphql } from '../gql';
import type { PostChirpMutation } from '../gql/graphql';
import { validate, MAX_CONTENT, type Validation } from '../text/content';
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

/** The id of the text field, so that other components can focus it. */
export const COMPOSE = 'compose';
const DRAFT = 'chirp-draft';
const WARN_BELOW = 20; // from so many code points left on, the counter announces them

/** The form for writing a chirp. A draft survives a reload and an expired session. */
export function Compose({ username, onPosted }: { username: string; onPosted(chirp: Posted): void }) {
  const [text, setText] = useState(() => sessionStorage.getItem(DRAFT) ?? '');
  const { post, busy, error } = usePost((chirp) => {
    change('');
    onPosted(chirp);
  });
  const hint = useId();
  const validation = validate(text);
  const change = (next: string) => {
    setText(next);
    sessionStorage.setItem(DRAFT, next);
  };
  const submit = () => {
    if (!validation.problem && !busy) void post(validation.text);
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
          aria-invalid={isWrong(validation)}
          onChange={(event) => change(event.target.value)}
          onKeyDown={keys}
        />
        <div className="compose-foot">
          <Counter validation={validation} id={hint} />
          <button type="submit" className="button primary" disabled={validation.problem !== null || busy}>
            {busy ? 'Posting…' : 'Chirp'}
          </button>
        </div>
        <div role="alert">{error ? <p className="problem">{explain(error).text} Your text is still here.</p> : null}</div>
      </div>
    </form>
  );
}

// usePost posts a text. Another attempt at the same text has the same command id, so that
// the chirp is not posted twice if only the response was lost.
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
      // error is set
    }
  };
  return { post, busy: loading, error };
}

function isWrong({ problem }: Validation): boolean {
  return problem !== null && problem !== 'empty';
}

const PROBLEMS = {
  control: 'The text contains a control character, such as a tab. Remove it.',
  broken: 'The text contains an incomplete character. Delete it and type it again.',
  marks: 'One letter has more than 30 accents. Remove some.',
  invisible: 'The text has no visible characters.',
  empty: null, // expected before the user starts to type
  long: null, // the counter shows it
};

function Counter({ validation: { count, problem }, id }: { validation: Validation; id: string }) {
  const left = MAX_CONTENT - count;
  const why = problem && PROBLEMS[problem];
  const look = left < 0 ? 'over' : left <= WARN_BELOW ? 'close' : '';
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
        {left < 0 ? `${-left} too many` : left <= WARN_BELOW ? `${left} left` : ''}
      </span>
    </p>
  );
}
