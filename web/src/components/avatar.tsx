const TONES = 8;

/** A disc with the first letter of a name, in a colour derived from the name. */
export function Avatar({ name, large = false }: { name: string; large?: boolean }) {
  let tone = 0;
  for (const c of name.toLowerCase()) tone = (tone * 31 + c.codePointAt(0)!) % 9973;
  return (
    <span className={`avatar tone-${tone % TONES}${large ? ' avatar-large' : ''}`} aria-hidden="true">
      {name.charAt(0).toUpperCase()}
    </span>
  );
}
