/** A part of a chirp's text: plain text, a user's name, or a URL. */
export type Part = { kind: 'text' | 'name' | 'link'; text: string };

// A name must not directly follow a letter, as in an e-mail address, or be longer than a
// username. Closing punctuation is not part of a URL.
const PIECE = /(?<![\w@])@([A-Za-z0-9_]{1,15})(?!\w)|https?:\/\/[^\s<>"]*[^\s<>".,:;!?)\]']/g;

/** Splits a text into names, URLs and the text between them. Joined, the parts are the text. */
export function partsOf(text: string): Part[] {
  const parts: Part[] = [];
  let end = 0;
  for (const match of text.matchAll(PIECE)) {
    if (match.index > end) parts.push({ kind: 'text', text: text.slice(end, match.index) });
    parts.push({ kind: match[1] ? 'name' : 'link', text: match[0] });
    end = match.index + match[0].length;
  }
  if (end < text.length) parts.push({ kind: 'text', text: text.slice(end) });
  return parts;
}
