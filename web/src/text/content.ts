import { BLANKS, MARKS } from './characters';

/** The maximum number of code points in a chirp. */
export const MAX_CONTENT = 280;

/** The maximum number of consecutive combining marks in a chirp. */
const MAX_MARKS = 30;

/** The result of validating a text. */
export interface Validation {
  /** The text as the server would store it. */
  text: string;
  /** The number of code points in text. */
  count: number;
  /** Why the text cannot be posted, or null if it can. */
  problem: 'empty' | 'invisible' | 'long' | 'control' | 'broken' | 'marks' | null;
}

// White space as Unicode defines it. String.trim differs: it removes U+FEFF, which is not
// white space, and keeps U+0085, which is.
const ENDS = /^\p{White_Space}+|\p{White_Space}+$/gu;
const CONTROL = /(?!\n)\p{Cc}/u;
const HALF = /\p{Surrogate}/u;
const VISIBLE = new RegExp(`[^${MARKS}${BLANKS}]`, 'u');
const TOO_MANY_MARKS = new RegExp(`[${MARKS}]{${MAX_MARKS + 1}}`, 'u');

/**
 * Validates a text as the server does: it replaces CRLF with a newline, composes characters
 * (NFC), trims white space, and checks and counts what remains.
 */
export function validate(input: string): Validation {
  const text = input.replaceAll('\r\n', '\n').normalize('NFC').replace(ENDS, '');
  const count = [...text].length;
  return { text, count, problem: problemOf(text, count) };
}

function problemOf(text: string, count: number): Validation['problem'] {
  if (HALF.test(text)) return 'broken';
  if (TOO_MANY_MARKS.test(text.normalize('NFKD'))) return 'marks';
  if (count === 0) return 'empty';
  if (!VISIBLE.test(text) && !CONTROL.test(text)) return 'invisible';
  if (count > MAX_CONTENT) return 'long';
  return CONTROL.test(text) ? 'control' : null;
}
