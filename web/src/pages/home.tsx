import { useCallback, useEffect, useRef, useState } from 'react';
import { Link } from 'wouter';
import { ChirpCard } from '../components/chirp-card';
import { Compose, type Posted } from '../components/compose';
import { ChirpList } from '../components/lists';
import { PageHead } from '../components/page';
import { Empty, Failure, Loading } from '../components/states';
import { codeOf } from '../api/errors';
import { useFeed } from '../feed/provider';
import { useViewer } from '../viewer';

const MAX_POSTED = 3;

/** The viewer's feed. */
export function Home() {
  const viewer = useViewer();
  const [posted, setPosted] = useState<Posted[]>([]);
  return (
    <>
      <PageHead title="Home" />
      <Compose username={viewer?.username ?? ' '} onPosted={(chirp) => setPosted((before) => [chirp, ...before].slice(0, MAX_POSTED))} />
      <JustPosted chirps={posted} username={viewer?.username ?? ''} />
      <Feed follows={viewer ? viewer.followingCount > 0 : true} />
    </>
  );
}

// The feed contains only what others post. The viewer's own new chirps are shown above it,
// so that they see that posting worked.
function JustPosted({ chirps, username }: { chirps: Posted[]; username: string }) {
  return (
    <div role="status" className="own">
      {chirps.length > 0 && (
        <>
          <ul className="list">
            {chirps.map((chirp) => (
              <li key={chirp.id}>
                <ChirpCard chirp={chirp} note="Posted" />
              </li>
            ))}
          </ul>
          <p className="quiet">
            Your followers can see it in their feeds. <Link href={`/@${username}`}>See all your chirps</Link>
          </p>
        </>
      )}
    </div>
  );
}

function Feed({ follows }: { follows: boolean }) {
  const { data, error, fetchMore, refetch, restart, waiting, show } = useFeed();
  const top = useRef<HTMLDivElement>(null);
  const retry = useCallback(() => void refetch().catch(() => {}), [refetch]); // error is set
  const feed = data?.feed;
  if (!feed) return error ? <Failure error={error} retry={retry} /> : <Loading what="your feed" />;
  const more = async (after: string | null | undefined) => {
    try {
      await fetchMore({ variables: { after } });
    } catch (reason) {
      if (codeOf(reason) === 'CURSOR_INVALID') await restart();
      else throw reason;
    }
  };
  return (
    <div ref={top}>
      <Pill
        count={waiting}
        show={() => {
          void show().then(() => {
            window.scrollTo({ top: 0 });
            top.current?.querySelector<HTMLElement>('.name')?.focus({ preventScroll: true });
          });
        }}
      />
      {feed.edges.length === 0 ? (
        <EmptyFeed follows={follows} />
      ) : (
        <ChirpList label="Your feed" page={feed} more={more} />
      )}
    </div>
  );
}

function EmptyFeed({ follows }: { follows: boolean }) {
  if (follows) {
    return (
      <Empty title="It is quiet here">
        <p>Nobody you follow has posted yet. Their chirps will appear here as they post them.</p>
      </Empty>
    );
  }
  return (
    <Empty title="Follow someone">
      <p>Their chirps appear here, live.</p>
      <Link href="/explore/people" className="button primary">
        Find people
      </Link>
    </Empty>
  );
}

/** "3 new chirps": announces chirps that have arrived, without moving the list. */
export function Pill({ count, show }: { count: number; show(): void }) {
  useEffect(() => {
    document.title = document.title.replace(/^(\(\d+\) )?/, count > 0 ? `(${count}) ` : '');
  }, [count]);
  return (
    <div className="pill-place" role="status">
      {count > 0 && (
        <button type="button" className="pill" onClick={show}>
          {count === 1 ? '1 new chirp' : `${count} new chirps`}
        </button>
      )}
    </div>
  );
}
