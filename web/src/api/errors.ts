import { CombinedGraphQLErrors, ServerError } from '@apollo/client';
import type { ErrorCode } from '../gql/codes';

/** Returns the code of an error in a GraphQL response, or null for any other error. */
export function codeOf(error: unknown): ErrorCode | null {
  if (!CombinedGraphQLErrors.is(error)) return null;
  const code = error.errors[0]?.extensions?.code;
  return typeof code === 'string' ? (code as ErrorCode) : 'INTERNAL';
}

/** What went wrong, in plain words, and whether trying again may help. */
export interface Explanation {
  text: string;
  retry: boolean;
}

const EXPLANATIONS: Partial<Record<ErrorCode, Explanation>> = {
  NOT_FOUND: { text: 'This does not exist, or no longer does.', retry: false },
  CONFLICT: { text: 'This conflicts with something you did earlier. Reload the page and try again.', retry: false },
  USERNAME_TAKEN: { text: 'That name is already taken. Choose another one.', retry: false },
  ALREADY_FOLLOWING: { text: 'You already follow this user.', retry: false },
  NOT_FOLLOWING: { text: 'You do not follow this user.', retry: false },
  UNAUTHENTICATED: { text: 'You need to log in to do this.', retry: false },
  NOT_YET_VISIBLE: { text: 'The server is catching up with what you just did. Try again in a moment.', retry: true },
  CURSOR_INVALID: { text: 'This list has changed and cannot continue from here. Reload it.', retry: true },
};

const INTERNAL: Explanation = { text: 'Something went wrong on the server. Its log has the details.', retry: true };

/** Explains any error with which an operation can fail. */
export function explain(error: unknown): Explanation {
  const code = codeOf(error);
  if (CombinedGraphQLErrors.is(error)) {
    const { message, path } = error.errors[0]!;
    // The message says which rule forbids it. Most conflicts are about ids that users do not see.
    if (code === 'BAD_USER_INPUT' || code === 'FORBIDDEN' || (code === 'CONFLICT' && path?.[0] === 'changePassword')) {
      return { text: sentence(message), retry: false };
    }
  }
  if (code === 'RATE_LIMITED') return { text: `Too many requests. Try again ${retryTime(error)}.`, retry: true };
  if (code === 'UNAVAILABLE') return unavailable(error);
  if (code) return EXPLANATIONS[code] ?? INTERNAL;
  if (ServerError.is(error)) return unavailable(error);
  return { text: 'The server cannot be reached. Are you online?', retry: true };
}

function unavailable(error: unknown): Explanation {
  return { text: `The server is unavailable right now. Try again ${retryTime(error)}.`, retry: true };
}

/** Returns when to try again, in words. */
function retryTime(error: unknown): string {
  const seconds = Math.ceil(retryAfterSeconds(error));
  if (!(seconds >= 1)) return 'in a moment';
  return seconds === 1 ? 'in 1 second' : `in ${seconds} seconds`;
}

// retryAfterSeconds returns the delay that the server, or a proxy in front of it, asks
// for. If neither asks for one, it returns NaN or a negative number.
function retryAfterSeconds(error: unknown): number {
  if (CombinedGraphQLErrors.is(error)) {
    return Math.max(...error.errors.map(({ extensions }) => Number(extensions?.retryAfter ?? NaN)).filter(Number.isFinite), -1);
  }
  return ServerError.is(error) ? Number(error.response.headers.get('retry-after') ?? NaN) : NaN;
}

// sentence capitalizes a message and ends it with a full stop.
function sentence(message: string): string {
  const text = message.charAt(0).toUpperCase() + message.slice(1);
  return /[.!?]$/.test(text) ? text : `${text}.`;
}
