/** A piece of a chirp's text: as it is, a user's name, or an address. */
export type Part = { kind: 'text' | 'name' | 'link'; text: string };

// A name may not touch a letter before it, as in an e-mail address, nor be longer than
// names are. Closing punctuation is not part of an address.
const PIECE = /(?<![\w@])@([A-Za-z0-9_]{1,15})(?!\w)|https?:\/\/[^\s<>"]*[^\s<>".,:;!?)\]']/g;

/** Finds names and addresses in a text. The parts, joined, are the text. */
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
