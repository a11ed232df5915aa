import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { validate, MAX_CONTENT } from '../src/text/content';

interface Vector {
  name: string;
  text: string;
  kept: string | null;
  count?: number;
  problem?: string;
}

// The expected results that the server's tests use for the same texts.
const vectors = JSON.parse(readFileSync(new URL('../../internal/domain/testdata/content/vectors.json', import.meta.url), 'utf8')) as Vector[];

describe("validate agrees with the server's test vectors", () => {
  it.each(vectors.map((v) => [v.name, v] as const))('%s', (_, { text, kept, count, problem }) => {
    const got = validate(text);
    expect(got.problem === 'invisible' ? 'empty' : got.problem).toBe(problem ?? null);
    if (kept === null) return;
    expect(got).toMatchObject({ text: kept, count });
  });
});

describe('validate counts code points as the server does', () => {
  const family = '👩‍👩‍👧'; // five code points, two of which are joiners
  it.each([
    ['letters', 'hello', 5],
    ['a character outside the basic multilingual plane', '🐦', 1],
    ['joined emoji as their parts', family, 5],
    ['a letter and its accent as one, if there is a composed form', 'e\u0301', 1],
    ['a mark without a composed form', 'q\u0301', 2],
    ['no leading or trailing white space', ' \t\u00a0\u3000hello\u2003\n', 5],
    ['no trailing next-line character, which trim would keep', 'hello\u0085', 5],
    ['a byte order mark, which trim would remove', '\ufeffhello', 6],
    ['CRLF as one', 'a\r\nb', 3],
    ['inner white space', 'a  b', 4],
    ['nothing', '', 0],
  ])('%s', (_, text, want) => {
    expect(validate(text).count).toBe(want);
  });
});

describe('validate reports the problem', () => {
  it.each([
    ['none for the longest text', '🐦'.repeat(MAX_CONTENT), null],
    ['none for the longest text surrounded by white space', ` ${'x'.repeat(MAX_CONTENT)} `, null],
    ['none for several lines', 'a\nb\r\nc', null],
    ['too long', 'x'.repeat(MAX_CONTENT + 1), 'long'],
    ['empty', ' \n\t ', 'empty'],
    ['invisible characters only', '\u200b\u3164', 'invisible'],
    ['too many combining marks', `a${'\u0300'.repeat(31)}`, 'marks'],
    ['an inner tab', 'a\tb', 'control'],
    ['an inner lone carriage return', 'a\rb', 'control'],
    ['an inner C1 control character', 'a\u0085b', 'control'],
    ['half of a surrogate pair', 'a\ud83d', 'broken'],
  ])('%s', (_, text, want) => {
    expect(validate(text).problem).toBe(want);
  });

  it('returns the text as the server will store it', () => {
    expect(validate(' a\r\ne\u0301 ').text).toBe('a\n\u00e9');
  });
});
