import { Link } from 'wouter';
import { graphql, unmask, type FragmentType } from '../gql';
import { counted } from '../text/words';
import { Avatar } from './avatar';
import { Star } from './chirp-card';
import { FollowButton } from './follow-button';

export const UserCardFragment = graphql(`
  fragment UserCard_user on User {
    id
    username
    followerCount
    chirpCount
    isCelebrity
    ...FollowButton_user
  }
`);

/** A user in a list. */
export function UserCard({ user: masked }: { user: FragmentType<typeof UserCardFragment> }) {
  const user = unmask(UserCardFragment, masked);
  return (
    <article className="user" aria-label={user.username}>
      <Avatar name={user.username} />
      <div>
        <p className="byline">
          <Link href={`/@${user.username}`} className="name">
            {user.username}
          </Link>
          {user.isCelebrity && <Star />}
        </p>
        <p className="quiet">
          {counted(user.followerCount, 'follower')}
          <span className="extra"> · {counted(user.chirpCount, 'chirp')}</span>
        </p>
      </div>
      <FollowButton user={user} />
    </article>
  );
}
