import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { judge, MAX_CONTENT } from '../src/text/content';

interface Vector {
  name: string;
  text: string;
  kept: string | null;
  count?: number;
  problem?: string;
}

// What the server's tests say of the same texts.
const vectors = JSON.parse(readFileSync(new URL('../../internal/domain/testdata/content/vectors.json', import.meta.url), 'utf8')) as Vector[];

describe("judge agrees with the server's tests", () => {
  it.each(vectors.map((v) => [v.name, v] as const))('%s', (_, { text, kept, count, problem }) => {
    const got = judge(text);
    expect(got.problem === 'invisible' ? 'empty' : got.problem).toBe(problem ?? null);
    if (kept === null) return;
    expect(got).toMatchObject({ text: kept, count });
  });
});

describe('judge counts as the server does', () => {
  const family = '👩‍👩‍👧'; // five code points, of which two join the others
  it.each([
    ['letters', 'hello', 5],
    ['a character outside of the basic plane', '🐦', 1],
    ['joined emoji by their parts', family, 5],
    ['a letter and its accent as one, where there is one for both', 'e\u0301', 1],
    ['a mark that has no composed form', 'q\u0301', 2],
    ['no white space at the ends', ' \t\u00a0\u3000hello\u2003\n', 5],
    ['no next-line character at the end, which trim would leave', 'hello\u0085', 5],
    ['a byte order mark, which trim would take off', '\ufeffhello', 6],
    ['a line end as one', 'a\r\nb', 3],
    ['inner white space', 'a  b', 4],
    ['nothing', '', 0],
  ])('%s', (_, text, want) => {
    expect(judge(text).count).toBe(want);
  });
});

describe('judge tells the problem', () => {
  it.each([
    ['none in the longest text', '🐦'.repeat(MAX_CONTENT), null],
    ['none in the longest text with white space around it', ` ${'x'.repeat(MAX_CONTENT)} `, null],
    ['none in several lines', 'a\nb\r\nc', null],
    ['too long', 'x'.repeat(MAX_CONTENT + 1), 'long'],
    ['empty', ' \n\t ', 'empty'],
    ['nothing to see', '\u200b\u3164', 'invisible'],
    ['an accent upon accents', `a${'\u0300'.repeat(31)}`, 'marks'],
    ['a tab within', 'a\tb', 'control'],
    ['a lone carriage return within', 'a\rb', 'control'],
    ['a control character of the second block within', 'a\u0085b', 'control'],
    ['half a pair', 'a\ud83d', 'broken'],
  ])('%s', (_, text, want) => {
    expect(judge(text).problem).toBe(want);
  });

  it('and gives the text as it will be kept', () => {
    expect(judge(' a\r\ne\u0301 ').text).toBe('a\n\u00e9');
  });
});
