import { CombinedGraphQLErrors, ServerError } from '@apollo/client';
import { describe, expect, it } from 'vitest';
import { codeOf, explain } from '../src/api/errors';

const refusal = (extensions: object | undefined, message = 'x') => new CombinedGraphQLErrors({ errors: [{ message, extensions: extensions as Record<string, unknown> }] });

const tooMany = (retryAfter: string) =>
  new ServerError('429', { response: new Response('', { status: 429, headers: { 'retry-after': retryAfter } }), bodyText: '' });

describe('explain', () => {
  it.each([
    ['a rule that was broken, by the server\'s words', refusal({ code: 'BAD_USER_INPUT' }, 'content is empty; write something'), 'Content is empty; write something.', false],
    ['a code', refusal({ code: 'USERNAME_TAKEN' }), 'Somebody has that name already. Choose another one.', false],
    ['a limit', refusal({ code: 'RATE_LIMITED' }), 'That was a lot at once. Try again in a moment.', true],
    ['a limit that says when it ends', refusal({ code: 'RATE_LIMITED', retryAfter: 2.1 }), 'That was a lot at once. Try again in 3 seconds.', true],
    ['a limit that ends soon', refusal({ code: 'RATE_LIMITED', retryAfter: 1 }), 'That was a lot at once. Try again in 1 second.', true],
    ['a server that is busy', refusal({ code: 'UNAVAILABLE', retryAfter: 12 }), 'The server cannot answer right now. Try again in 12 seconds.', true],
    ['a server that does not say until when', refusal({ code: 'UNAVAILABLE' }), 'The server cannot answer right now. Try again in a moment.', true],
    ['what a proxy says', tooMany('12'), 'The server cannot answer right now. Try again in 12 seconds.', true],
    ['a proxy that says a date', tooMany('Fri, 27 Nov 2026 12:00:00 GMT'), 'The server cannot answer right now. Try again in a moment.', true],
    ['a code that is new, as a fault', refusal({ code: 'SOMETHING' }), 'Something broke on the server, and it is not your fault. Its log has the details.', true],
    ['no code, as a fault', refusal(undefined), 'Something broke on the server, and it is not your fault. Its log has the details.', true],
    ['a lost connection', new TypeError('Failed to fetch'), 'The server cannot be reached. Are you online?', true],
  ])('tells %s', (_, error, text, retry) => {
    expect(explain(error)).toEqual({ text, retry });
  });
});

describe('codeOf', () => {
  it('has none for what is not of the server', () => {
    expect([codeOf(null), codeOf(new Error('x'))]).toEqual([null, null]);
  });
});
