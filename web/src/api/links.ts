import { ApolloLink, ServerError } from '@apollo/client';
import { OperationTypeNode } from 'graphql';
import { catchError, defer, map, of, retry, tap, throwError, timer } from 'rxjs';
import type { ReadAfter } from './read-after';

const READ_AFTER = 'Chirp-Read-After';

type Result = ApolloLink.Result;
type Headers = Record<string, string>;

/** Sends the position of the last mutation with each query, and records new positions. */
export function readAfterLink(readAfter: ReadAfter): ApolloLink {
  return new ApolloLink((operation, forward) => {
    operation.setContext(({ headers }) => {
      const { [READ_AFTER]: _, ...others } = (headers ?? {}) as Headers; // set by an earlier attempt
      const position = operation.operationType === OperationTypeNode.QUERY ? readAfter.position : null;
      return { headers: position ? { ...others, [READ_AFTER]: position } : others };
    });
    return forward(operation).pipe(
      tap((result) => {
        if (operation.operationType === OperationTypeNode.MUTATION) readAfter.record(result.data);
      }),
    );
  });
}

/** What the session link needs to know about the session. */
export interface Bearer {
  token: string | null;
  /** Called when the server no longer accepts the token. */
  expire(): void;
}

/**
 * Sends the token, and expires the session when the server rejects it. Operations whose
 * context has `anonymous`, such as logging in, are sent without a token.
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

/** The delays before each retry, in milliseconds. */
export const RETRY_DELAYS = [250, 750, 2000, 4000];

/** Carries a result whose error may go away without intervention. */
class TransientError extends Error {
  constructor(readonly result: Result) {
    super(resultCode(result) ?? undefined);
  }
}

/**
 * Retries operations that fail for a transient reason: the network or the server is
 * unavailable, or the server has not caught up yet. A mutation is retried only if it has a
 * command id, so that it is executed once.
 *
 * The last attempt after NOT_YET_VISIBLE is made without the position: the server may have
 * been restored from an older log, in which case no wait would help.
 */
export function retryLink(readAfter: ReadAfter, delays = RETRY_DELAYS): ApolloLink {
  return new ApolloLink((operation, forward) => {
    if (!isRetryable(operation)) return forward(operation);
    return defer(() => forward(operation)).pipe(
      map((result) => {
        if (isTransient(result)) throw new TransientError(result);
        return result;
      }),
      retry({
        count: delays.length,
        delay: (error: unknown, attempt) => {
          if (!(error instanceof TransientError) && !isNetworkError(error)) return throwError(() => error);
          if (attempt === delays.length && error instanceof TransientError && error.message === 'NOT_YET_VISIBLE') readAfter.forget();
          return timer(delays[attempt - 1]!);
        },
      }),
      catchError((error: unknown) => (error instanceof TransientError ? of(error.result) : throwError(() => error))),
    );
  });
}

function isRetryable(operation: ApolloLink.Operation): boolean {
  if (operation.operationType === OperationTypeNode.QUERY) return true;
  const input = operation.variables.input as { commandId?: unknown } | undefined;
  return operation.operationType === OperationTypeNode.MUTATION && typeof input?.commandId === 'string';
}

function isTransient(result: Result): boolean {
  const code = resultCode(result);
  return code === 'UNAVAILABLE' || code === 'NOT_YET_VISIBLE';
}

// isNetworkError reports whether an error occurred on the way to the server: fetch throws
// a TypeError for all of those, and a proxy responds with 502 to 504 on the server's behalf.
function isNetworkError(error: unknown): boolean {
  if (ServerError.is(error)) return error.statusCode >= 502 && error.statusCode <= 504;
  return error instanceof TypeError || (error instanceof DOMException && error.name === 'TimeoutError');
}

function resultCode(result: Result): string | null {
  const code = result.errors?.[0]?.extensions?.code;
  return typeof code === 'string' ? code : null;
}
