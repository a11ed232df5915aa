import { useQuery } from '@apollo/client/react';
import { useCallback } from 'react';
import { Link } from 'wouter';
import { Avatar } from '../components/avatar';
import { Content, Star } from '../components/chirp-card';
import { FollowButton } from '../components/follow-button';
import { PageHead } from '../components/page';
import { Failure, Loading } from '../components/states';
import { codeOf } from '../api/errors';
import { graphql } from '../gql';
import { inFull } from '../text/words';
import { NotFound } from './not-found';

const ChirpDocument = graphql(`
  query Chirp($id: ID!) {
    chirp(id: $id) {
      id
      content
      postedAt
      author {
        id
        username
        isCelebrity
        ...FollowButton_user
      }
    }
  }
`);

/** The page of one chirp. */
export function ChirpPage({ id }: { id: string }) {
  const { data, error, refetch } = useQuery(ChirpDocument, { variables: { id } });
  const retry = useCallback(() => void refetch().catch(() => {}), [refetch]); // error is set
  const chirp = data?.chirp;
  if (data && !chirp) return <NotFound what="There is no such chirp" />;
  if (codeOf(error) === 'BAD_USER_INPUT') return <NotFound what="There is no such chirp" />;
  return (
    <>
      <PageHead title="Chirp" back />
      {error && <Failure error={error} retry={retry} />}
      {!chirp && !error && <Loading what="the chirp" rows={1} />}
      {chirp && (
        <article className="chirp-alone" aria-label={`Chirp by ${chirp.author.username}`}>
          <div className="user">
            <Avatar name={chirp.author.username} />
            <p className="byline">
              <Link href={`/@${chirp.author.username}`} className="name">
                {chirp.author.username}
              </Link>
              {chirp.author.isCelebrity && <Star />}
            </p>
            <FollowButton user={chirp.author} />
          </div>
          <Content text={chirp.content} />
          <p className="quiet">
            <time dateTime={chirp.postedAt}>{inFull(new Date(chirp.postedAt))}</time>
          </p>
        </article>
      )}
    </>
  );
}
