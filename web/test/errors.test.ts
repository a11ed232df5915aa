import { CombinedGraphQLErrors, ServerError } from '@apollo/client';
import { describe, expect, it } from 'vitest';
import { codeOf, explain } from '../src/api/errors';

const refusal = (extensions: object | undefined, message = 'x', path?: string[]) =>
  new CombinedGraphQLErrors({ errors: [{ message, path, extensions: extensions as Record<string, unknown> }] });

const tooMany = (retryAfter: string) =>
  new ServerError('429', { response: new Response('', { status: 429, headers: { 'retry-after': retryAfter } }), bodyText: '' });

describe('explain', () => {
  it.each([
    ['a broken rule in the server\'s words', refusal({ code: 'BAD_USER_INPUT' }, 'content is empty; write something'), 'Content is empty; write something.', false],
    ['what is forbidden in the server\'s words', refusal({ code: 'FORBIDDEN' }, 'the account is disabled; ask the operator of this server'), 'The account is disabled; ask the operator of this server.', false],
    ['a conflict over a password in the server\'s words', refusal({ code: 'CONFLICT' }, 'the password was changed; try again', ['changePassword']), 'The password was changed; try again.', false],
    ['a conflict over an id', refusal({ code: 'CONFLICT' }, 'command id "x" was used', ['postChirp']), 'This conflicts with something you did earlier. Reload the page and try again.', false],
    ['a code', refusal({ code: 'USERNAME_TAKEN' }), 'That name is already taken. Choose another one.', false],
    ['a rate limit', refusal({ code: 'RATE_LIMITED' }), 'Too many requests. Try again in a moment.', true],
    ['a rate limit with a delay', refusal({ code: 'RATE_LIMITED', retryAfter: 2.1 }), 'Too many requests. Try again in 3 seconds.', true],
    ['a rate limit with a delay of one second', refusal({ code: 'RATE_LIMITED', retryAfter: 1 }), 'Too many requests. Try again in 1 second.', true],
    ['an unavailable server with a delay', refusal({ code: 'UNAVAILABLE', retryAfter: 12 }), 'The server is unavailable right now. Try again in 12 seconds.', true],
    ['an unavailable server without a delay', refusal({ code: 'UNAVAILABLE' }), 'The server is unavailable right now. Try again in a moment.', true],
    ['a proxy\'s delay in seconds', tooMany('12'), 'The server is unavailable right now. Try again in 12 seconds.', true],
    ['a proxy\'s delay as a date', tooMany('Fri, 27 Nov 2026 12:00:00 GMT'), 'The server is unavailable right now. Try again in a moment.', true],
    ['an unknown code as a server error', refusal({ code: 'SOMETHING' }), 'Something went wrong on the server. Its log has the details.', true],
    ['a missing code as a server error', refusal(undefined), 'Something went wrong on the server. Its log has the details.', true],
    ['a lost connection', new TypeError('Failed to fetch'), 'The server cannot be reached. Are you online?', true],
  ])('explains %s', (_, error, text, retry) => {
    expect(explain(error)).toEqual({ text, retry });
  });
});

describe('codeOf', () => {
  it('returns null for errors that are not from the server', () => {
    expect([codeOf(null), codeOf(new Error('x'))]).toEqual([null, null]);
  });
});
