import { BLANKS, MARKS } from './characters';

/** The most code points a chirp may have. */
export const MAX_CONTENT = 280;

/** The most combining marks that may follow each other in a chirp. */
const MAX_MARKS = 30;

/** What the server would say of a text. */
export interface Verdict {
  /** The text as it would be kept. */
  text: string;
  /** How many code points that is. */
  count: number;
  /** Why it cannot be posted, if so. */
  problem: 'empty' | 'invisible' | 'long' | 'control' | 'broken' | 'marks' | null;
}

// White space is what Unicode calls so. String.trim differs: it takes off U+FEFF,
// which is none, and leaves U+0085, which is.
const ENDS = /^\p{White_Space}+|\p{White_Space}+$/gu;
const CONTROL = /(?!\n)\p{Cc}/u;
const HALF = /\p{Surrogate}/u;
const VISIBLE = new RegExp(`[^${MARKS}${BLANKS}]`, 'u');
const TOO_MANY_MARKS = new RegExp(`[${MARKS}]{${MAX_MARKS + 1}}`, 'u');

/**
 * Judges a text as the server does: line ends become newlines, characters their
 * composed forms, white space at the ends goes, and what is left is counted.
 */
export function judge(input: string): Verdict {
  const text = input.replaceAll('\r\n', '\n').normalize('NFC').replace(ENDS, '');
  const count = [...text].length;
  return { text, count, problem: problemOf(text, count) };
}

function problemOf(text: string, count: number): Verdict['problem'] {
  if (HALF.test(text)) return 'broken';
  if (TOO_MANY_MARKS.test(text.normalize('NFKD'))) return 'marks';
  if (count === 0) return 'empty';
  if (!VISIBLE.test(text) && !CONTROL.test(text)) return 'invisible';
  if (count > MAX_CONTENT) return 'long';
  return CONTROL.test(text) ? 'control' : null;
}
