import { Link } from 'wouter';
import { graphql, unmask, type FragmentType } from '../gql';
import { partsOf } from '../text/parts';
import { Avatar } from './avatar';
import { TimeAgo } from './time';

export const ChirpCardFragment = graphql(`
  fragment ChirpCard_chirp on Chirp {
    id
    content
    postedAt
    author {
      id
      username
      isCelebrity
    }
  }
`);

/** A chirp in a list. */
export function ChirpCard({ chirp: masked, note }: { chirp: FragmentType<typeof ChirpCardFragment>; note?: string }) {
  const chirp = unmask(ChirpCardFragment, masked);
  const { username } = chirp.author;
  return (
    <article className="chirp" aria-label={`Chirp by ${username}`} data-chirp={chirp.id}>
      <Link href={`/@${username}`} className="chirp-face" tabIndex={-1} aria-hidden="true">
        <Avatar name={username} />
      </Link>
      <div className="chirp-body">
        <p className="byline">
          <Link href={`/@${username}`} className="name">
            {username}
          </Link>
          {chirp.author.isCelebrity && <Star />}
          <span aria-hidden="true"> · </span>
          <Link href={`/chirp/${chirp.id}`} className="quiet">
            <TimeAgo at={chirp.postedAt} />
          </Link>
          {note && <span className="note">{note}</span>}
        </p>
        <Content text={chirp.content} />
      </div>
    </article>
  );
}

/** Marks a user with very many followers. */
export function Star() {
  return (
    <span className="star" title="Many follow this user">
      <span aria-hidden="true">★</span>
      <span className="hidden"> (many follow this user)</span>
    </span>
  );
}

/** The text of a chirp, with names and URLs as links. */
export function Content({ text }: { text: string }) {
  return (
    <p className="content">
      {partsOf(text).map((part, i) => {
        if (part.kind === 'name') {
          return (
            <Link key={i} href={`/${part.text}`}>
              {part.text}
            </Link>
          );
        }
        if (part.kind === 'link') {
          return (
            <a key={i} href={part.text} target="_blank" rel="noopener noreferrer nofollow ugc">
              {part.text}
            </a>
          );
        }
        return part.text;
      })}
    </p>
  );
}
