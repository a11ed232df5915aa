import { describe, expect, it } from 'vitest';
import { partsOf } from '../src/text/parts';

const marked = (text: string) => partsOf(text).map((part) => (part.kind === 'text' ? part.text : `[${part.text}]`)).join('');

describe('partsOf', () => {
  it.each([
    ['a name', 'for @ada, with love', 'for [@ada], with love'],
    ['names at the start and end', '@ada and @bob_1', '[@ada] and [@bob_1]'],
    ['no name in an e-mail address', 'ada@example.org', 'ada@example.org'],
    ['no name that is longer than a username', '@abcdefghijklmnop', '@abcdefghijklmnop'],
    ['no name after another @', '@@ada', '@@ada'],
    ['a URL without the full stop after it', 'see https://example.org/a_b?c=d.', 'see [https://example.org/a_b?c=d].'],
    ['a URL in brackets', '(http://example.org/x)', '([http://example.org/x])'],
    ['no URL with another scheme', 'javascript:alert(1)', 'javascript:alert(1)'],
    ['nothing', '', ''],
  ])('finds %s', (_, text, want) => {
    expect(marked(text)).toBe(want);
    expect(partsOf(text).map((part) => part.text).join('')).toBe(text);
  });
});
