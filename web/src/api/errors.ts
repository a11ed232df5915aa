import { CombinedGraphQLErrors, ServerError } from '@apollo/client';
import type { ErrorCode } from '../gql/codes';

/** The code of an error that the server answered with, null for any other. */
export function codeOf(error: unknown): ErrorCode | null {
  if (!CombinedGraphQLErrors.is(error)) return null;
  const code = error.errors[0]?.extensions?.code;
  return typeof code === 'string' ? (code as ErrorCode) : 'INTERNAL';
}

/** What went wrong in plain words, and whether to try again may help. */
export interface Explanation {
  text: string;
  retry: boolean;
}

const WORDS: Partial<Record<ErrorCode, Explanation>> = {
  NOT_FOUND: { text: 'This is not here, or no longer.', retry: false },
  CONFLICT: { text: 'This was done already, in another way. Look at how it stands and try anew.', retry: false },
  USERNAME_TAKEN: { text: 'Somebody has that name already. Choose another one.', retry: false },
  ALREADY_FOLLOWING: { text: 'You follow them already.', retry: false },
  NOT_FOLLOWING: { text: 'You do not follow them.', retry: false },
  UNAUTHENTICATED: { text: 'You need to log in for this.', retry: false },
  FORBIDDEN: { text: 'This is not allowed on this server.', retry: false },
  NOT_YET_VISIBLE: { text: 'The server is catching up with what you just did. Try again in a moment.', retry: true },
  CURSOR_INVALID: { text: 'The list has changed too much to go on here. Load it anew.', retry: true },
};

const OURS: Explanation = { text: 'Something broke on the server, and it is not your fault. Its log has the details.', retry: true };

/** Explains any error that an operation can end with. */
export function explain(error: unknown): Explanation {
  const code = codeOf(error);
  if (code === 'BAD_USER_INPUT' && CombinedGraphQLErrors.is(error)) {
    return { text: sentence(error.errors[0]!.message), retry: false }; // it names the rule that was broken
  }
  if (code === 'RATE_LIMITED') return { text: `That was a lot at once. Try again ${soon(error)}.`, retry: true };
  if (code === 'UNAVAILABLE') return cannotAnswer(error);
  if (code) return WORDS[code] ?? OURS;
  if (ServerError.is(error)) return cannotAnswer(error);
  return { text: 'The server cannot be reached. Are you online?', retry: true };
}

function cannotAnswer(error: unknown): Explanation {
  return { text: `The server cannot answer right now. Try again ${soon(error)}.`, retry: true };
}

/** When to try again, in words. */
function soon(error: unknown): string {
  const seconds = Math.ceil(waitOf(error));
  if (!(seconds >= 1)) return 'in a moment';
  return seconds === 1 ? 'in 1 second' : `in ${seconds} seconds`;
}

// waitOf is how many seconds to wait by the server's word, or that of what stands
// before it; NaN if there is none.
function waitOf(error: unknown): number {
  if (CombinedGraphQLErrors.is(error)) {
    return Math.max(...error.errors.map(({ extensions }) => Number(extensions?.retryAfter ?? NaN)).filter(Number.isFinite), -1);
  }
  return ServerError.is(error) ? Number(error.response.headers.get('retry-after') ?? NaN) : NaN;
}

function sentence(message: string): string {
  const text = message.charAt(0).toUpperCase() + message.slice(1);
  return /[.!?]$/.test(text) ? text : `${text}.`;
}
