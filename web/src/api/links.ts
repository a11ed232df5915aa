import { ApolloLink, ServerError } from '@apollo/client';
import { OperationTypeNode } from 'graphql';
import { catchError, defer, map, of, retry, tap, throwError, timer } from 'rxjs';
import type { ReadAfter } from './read-after';

const READ_AFTER = 'Chirp-Read-After';

type Result = ApolloLink.Result;
type Headers = Record<string, string>;

/** Sends with each query the position of the last mutation, and notes new ones. */
export function readAfterLink(memory: ReadAfter): ApolloLink {
  return new ApolloLink((operation, forward) => {
    operation.setContext(({ headers }) => {
      const { [READ_AFTER]: _, ...others } = (headers ?? {}) as Headers; // of an earlier attempt
      const position = operation.operationType === OperationTypeNode.QUERY ? memory.position : null;
      return { headers: position ? { ...others, [READ_AFTER]: position } : others };
    });
    return forward(operation).pipe(
      tap((result) => {
        if (operation.operationType === OperationTypeNode.MUTATION) memory.note(result.data);
      }),
    );
  });
}

/** What the session link needs to know of the session. */
export interface Bearer {
  token: string | null;
  /** Called when the server no longer takes the token. */
  expire(): void;
}

/**
 * Sends the token, and tells the session when it is no longer good. Operations whose
 * context says `anonymous` go without: whoever logs in is nobody yet.
 */
export function sessionLink(bearer: Bearer): ApolloLink {
  return new ApolloLink((operation, forward) => {
    const token = operation.getContext().anonymous ? null : bearer.token;
    if (!token) return forward(operation);
    operation.setContext(({ headers }) => ({ headers: { ...(headers as Headers), Authorization: `Bearer ${token}` } }));
    return forward(operation).pipe(
      tap({
        next: (result) => {
          if (resultCode(result) === 'UNAUTHENTICATED') bearer.expire();
        },
        error: (error: unknown) => {
          if (ServerError.is(error) && error.statusCode === 401) bearer.expire();
        },
      }),
    );
  });
}

/** How long to wait before each further attempt, in milliseconds. */
export const WAITS = [250, 750, 2000, 4000];

/** A result whose error may pass by itself. */
class Passing extends Error {
  constructor(readonly result: Result) {
    super(resultCode(result) ?? undefined);
  }
}

/**
 * Tries again what fails for a reason that passes: a network or a server that is away,
 * or one that has not caught up yet. Mutations are repeated only under a command id,
 * with which they happen once.
 *
 * A server that does not catch up in the end is asked without the position: it may
 * have been given an older log, and then no wait would help.
 */
export function patienceLink(memory: ReadAfter, waits = WAITS): ApolloLink {
  return new ApolloLink((operation, forward) => {
    if (!repeatable(operation)) return forward(operation);
    return defer(() => forward(operation)).pipe(
      map((result) => {
        if (passes(result)) throw new Passing(result);
        return result;
      }),
      retry({
        count: waits.length,
        delay: (error: unknown, attempt) => {
          if (!(error instanceof Passing) && !away(error)) return throwError(() => error);
          if (attempt === waits.length && error instanceof Passing && error.message === 'NOT_YET_VISIBLE') memory.forget();
          return timer(waits[attempt - 1]!);
        },
      }),
      catchError((error: unknown) => (error instanceof Passing ? of(error.result) : throwError(() => error))),
    );
  });
}

function repeatable(operation: ApolloLink.Operation): boolean {
  if (operation.operationType === OperationTypeNode.QUERY) return true;
  const input = operation.variables.input as { commandId?: unknown } | undefined;
  return operation.operationType === OperationTypeNode.MUTATION && typeof input?.commandId === 'string';
}

function passes(result: Result): boolean {
  const code = resultCode(result);
  return code === 'UNAVAILABLE' || code === 'NOT_YET_VISIBLE';
}

// away says whether an error is of the way to the server: fetch knows no other than
// TypeError for those, and a proxy says 502 to 504 in the server's place.
function away(error: unknown): boolean {
  if (ServerError.is(error)) return error.statusCode >= 502 && error.statusCode <= 504;
  return error instanceof TypeError || (error instanceof DOMException && error.name === 'TimeoutError');
}

function resultCode(result: Result): string | null {
  const code = result.errors?.[0]?.extensions?.code;
  return typeof code === 'string' ? code : null;
}
