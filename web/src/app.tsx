import { useQuery } from '@apollo/client/react';
import { useEffect, useRef } from 'react';
import { Link, Redirect, Route, Switch, useLocation, useSearchParams } from 'wouter';
import { COMPOSE } from './components/compose';
import { ConnectionState } from './components/connection';
import { Bird, Icon } from './components/icons';
import { UserCard } from './components/user-card';
import { FeedProvider } from './feed/provider';
import { wentBack } from './history';
import { Account } from './pages/account';
import { ChirpPage } from './pages/chirp';
import { Explore, RecentUsersDocument } from './pages/explore';
import { Home } from './pages/home';
import { LogIn, nextOf } from './pages/log-in';
import { NotFound } from './pages/not-found';
import { People } from './pages/people';
import { Profile } from './pages/profile';
import { Welcome } from './pages/welcome';
import { useSession } from './session';
import { useViewer, ViewerProvider } from './viewer';

// The router's own patterns allow only whole segments as parameters.
const PROFILE = /^\/@(?<name>[^/]+)\/?$/;
const FOLLOWERS = /^\/@(?<name>[^/]+)\/followers\/?$/;
const FOLLOWING = /^\/@(?<name>[^/]+)\/following\/?$/;

/** The application. */
export function App() {
  const { token } = useSession();
  useSessionExpiry();
  return (
    <ViewerProvider>
      {token ? (
        <FeedProvider>
          <Frame />
        </FeedProvider>
      ) : (
        <Frame />
      )}
    </ViewerProvider>
  );
}

// useSessionExpiry sends a user whose session has expired to log in, and back afterwards.
function useSessionExpiry(): void {
  const { expired } = useSession();
  const [path, navigate] = useLocation();
  useEffect(() => {
    if (expired && !isEntry(path)) navigate(`/login?next=${encodeURIComponent(path)}`, { replace: true });
  }, [expired]); // not path: only the expiry redirects, not later navigation
}

function isEntry(path: string): boolean {
  return path === '/login' || path === '/register';
}

function Frame() {
  const [path] = useLocation();
  const main = useNavigationFocus(path);
  return (
    <>
      <a className="skip" href="#main">
        Skip to content
      </a>
      <div className="frame">
        <Side path={path} />
        <main id="main" ref={main}>
          <Pages />
        </main>
        <aside className="beside" aria-label="New people">
          {!isEntry(path) && <NewPeople />}
        </aside>
      </div>
    </>
  );
}

// useNavigationFocus scrolls to the top of a new page and, for screen readers, focuses its
// heading. On back and forward navigation the browser restores the position.
function useNavigationFocus(path: string) {
  const main = useRef<HTMLElement>(null);
  const last = useRef(path);
  useEffect(() => {
    if (last.current === path) return;
    last.current = path;
    if (wentBack()) return;
    window.scrollTo(0, 0);
    main.current?.querySelector<HTMLElement>('h1')?.focus({ preventScroll: true });
  }, [path]);
  return main;
}

function Pages() {
  const { token } = useSession();
  return (
    <Switch>
      <Route path="/">{token ? <Home /> : <Welcome />}</Route>
      <Route path="/login">
        <Entry registering={false} />
      </Route>
      <Route path="/register">
        <Entry registering />
      </Route>
      <Route path="/account">{token ? <Account /> : <Redirect to="/login?next=/account" replace />}</Route>
      <Route path="/explore">
        <Explore what="chirps" />
      </Route>
      <Route path="/explore/people">
        <Explore what="people" />
      </Route>
      <Route path="/chirp/:id">{({ id }) => <ChirpPage key={id} id={id} />}</Route>
      <Route path={PROFILE}>{({ name = '' }) => <Profile key={name} username={name} />}</Route>
      <Route path={FOLLOWERS}>{({ name = '' }) => <People username={name} what="followers" />}</Route>
      <Route path={FOLLOWING}>{({ name = '' }) => <People username={name} what="following" />}</Route>
      <Route>
        <NotFound />
      </Route>
    </Switch>
  );
}

function Entry({ registering }: { registering: boolean }) {
  const { token } = useSession();
  const [search] = useSearchParams();
  return token ? <Redirect to={nextOf(search)} replace /> : <LogIn registering={registering} />;
}

function Side({ path }: { path: string }) {
  const { token, logOut } = useSession();
  const viewer = useViewer();
  const own = viewer ? `/@${viewer.username}` : null;
  return (
    <header className="side">
      <Link href="/" className="brand">
        <Bird />
        <span>Chirp</span>
      </Link>
      <nav className="main-nav" aria-label="Main">
        <NavLink href="/" icon="home" word="Home" path={path} />
        <NavLink href="/explore" icon="explore" word="Explore" path={path} under />
        {own && <NavLink href={own} icon="person" word="Profile" path={path} under />}
        {!token && <NavLink href="/login" icon="person" word="Log in" path={path} />}
        {token && <Write />}
      </nav>
      <div className="side-foot">
        <ConnectionState />
        {token && (
          <>
            <Link href="/account" className="icon-button" aria-current={path === '/account' ? 'page' : undefined}>
              <Icon name="account" />
              <span className="hidden">Account{viewer ? ` of ${viewer.username}` : ''}</span>
            </Link>
            <button type="button" className="icon-button" onClick={() => void logOut()}>
              <Icon name="leave" />
              <span className="hidden">Log out{viewer ? ` ${viewer.username}` : ''}</span>
            </button>
          </>
        )}
      </div>
    </header>
  );
}

interface NavLinkProps {
  href: string;
  icon: Parameters<typeof Icon>[0]['name'];
  word: string;
  path: string;
  /** Whether the link is also current on pages below its address. */
  under?: boolean;
}

function NavLink({ href, icon, word, path, under = false }: NavLinkProps) {
  const here = path === href || (under && path.startsWith(`${href}/`));
  return (
    <Link href={href} className="nav-link" aria-current={here ? 'page' : undefined} onClick={() => path === href && window.scrollTo({ top: 0 })}>
      <Icon name={icon} />
      <span>{word}</span>
    </Link>
  );
}

function Write() {
  const [, navigate] = useLocation();
  const write = () => {
    navigate('/');
    requestAnimationFrame(() => document.getElementById(COMPOSE)?.focus());
  };
  return (
    <button type="button" className="nav-link write" onClick={write}>
      <Icon name="write" />
      <span>Write</span>
    </button>
  );
}

function NewPeople() {
  const { data } = useQuery(RecentUsersDocument, { variables: { first: 20 } });
  const edges = data?.recentUsers?.edges.slice(0, 4) ?? [];
  if (edges.length === 0) return null;
  return (
    <section className="card">
      <h2>New people</h2>
      <ul className="list">
        {edges.map(({ node }) => (
          <li key={node.id}>
            <UserCard user={node} />
          </li>
        ))}
      </ul>
      <Link href="/explore/people">Find more</Link>
    </section>
  );
}
