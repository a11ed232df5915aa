import { beforeEach, describe, expect, it, vi } from 'vitest';
import { LiveFeed, MOST, type FeedEdge, type Sink } from '../src/feed/live-feed';

const PAGE = 20;

/** A server's feed of chirps 1, 2, 3, … and a page that shows it. */
class World {
  server: number[] = [];
  list: FeedEdge[] = [];
  away = false;
  reloads = 0;
  watches: { from: string | null; open: boolean; sink: Sink<FeedEdge>; after: () => string | null }[] = [];
  live = new LiveFeed<FeedEdge>({
    shown: () => this.list,
    prepend: (edges) => {
      this.list = [...edges, ...this.list];
    },
    reload: async () => {
      this.reloads++;
      const page = this.newest(PAGE);
      await Promise.resolve();
      if (this.away) throw new Error('away');
      this.list = page;
    },
    watch: (after, sink) => {
      const watch = { from: after(), open: true, sink, after };
      this.watches.push(watch);
      return () => {
        watch.open = false;
      };
    },
  });

  newest(n: number): FeedEdge[] {
    return this.server.slice(-n).reverse().map(edge);
  }

  get watch() {
    return this.watches.at(-1)!;
  }

  /** A chirp is posted, and whoever watches hears of it. */
  post(...chirps: number[]): void {
    for (const chirp of chirps) {
      this.server.push(chirp);
      if (this.watch?.open) this.watch.sink.next(edge(chirp));
    }
  }

  /** The connection was lost and is back: the server gives what came after the cursor. */
  resume(): void {
    const after = Number(this.watch.after());
    for (const chirp of this.server.filter((each) => each > after)) this.watch.sink.next(edge(chirp));
  }

  get shown(): number[] {
    return this.list.map((each) => Number(each.cursor));
  }
}

function edge(chirp: number): FeedEdge {
  return { cursor: String(chirp), node: { id: `chirp_${chirp}` } };
}

let world: World;

beforeEach(() => {
  vi.useFakeTimers();
  world = new World();
});

/** Begins with a page that shows what is there. */
function begin(...chirps: number[]): void {
  world.server = chirps;
  world.list = world.newest(PAGE);
  world.live.start();
}

describe('a live feed', () => {
  it('watches from the newest that is shown', () => {
    begin(1, 2);
    expect(world.watch.from).toBe('2');
  });

  it('has new ones wait, and shows them in order above the others', async () => {
    begin(1, 2);
    const heard = vi.fn();
    world.live.listen(heard);
    world.post(3, 4);
    expect([world.live.count, world.shown, heard.mock.calls.length]).toEqual([2, [2, 1], 2]);
    await world.live.show();
    expect([world.live.count, world.shown]).toEqual([0, [4, 3, 2, 1]]);
  });

  it('resumes after the newest that waits, and keeps no chirp twice', async () => {
    begin(1);
    world.post(2);
    world.server.push(3, 4); // unheard
    world.resume();
    expect(world.watch.after()).toBe('4');
    world.watch.sink.next(edge(3)); // a server that says it twice
    world.watch.sink.next(edge(1));
    await world.live.show();
    expect(world.shown).toEqual([4, 3, 2, 1]);
  });

  it('resumes after the newest that is shown when none waits', async () => {
    begin(1);
    world.post(2);
    await world.live.show();
    expect(world.watch.after()).toBe('2');
  });

  it('loads the page anew when more came than it keeps, and leaves nothing out', async () => {
    begin(1);
    const many = Array.from({ length: MOST + 5 }, (_, i) => i + 2);
    world.post(...many);
    expect(world.live.count).toBe(MOST + 5);
    await world.live.show();
    expect([world.live.count, world.reloads]).toEqual([0, 1]);
    expect(world.shown).toEqual(many.toReversed().slice(0, PAGE));
    expect(world.watch.from).toBe(String(MOST + 6));
  });

  it('begins anew when whom the reader follows has changed', async () => {
    begin(1, 2);
    world.post(3);
    world.server = [2, 5];
    await world.live.restart();
    expect([world.shown, world.live.count, world.watch.from]).toEqual([[5, 2], 0, '5']);
    expect(world.watches.filter((watch) => watch.open).length).toBe(1);
  });

  it('lets the last of several restarts win', async () => {
    begin(1);
    await Promise.all([world.live.restart(), world.live.restart(), world.live.restart()]);
    expect(world.watches.filter((watch) => watch.open).length).toBe(1);
  });

  it('keeps what it has when it cannot begin anew, and does so later', async () => {
    begin(1);
    world.away = true;
    await world.live.restart();
    expect([world.shown, world.watch.from, world.watch.open]).toEqual([[1], '1', true]);
    world.away = false;
    world.server = [7];
    world.live.connected();
    await vi.runAllTimersAsync();
    expect(world.shown).toEqual([7]);
  });

  it('stays stopped', async () => {
    begin(1);
    const restart = world.live.restart();
    world.live.stop();
    await restart;
    expect(world.watches.filter((watch) => watch.open).length).toBe(0);
  });

  it('goes on after the same cursor when the server gives up on it', async () => {
    begin(1);
    world.post(2);
    world.watch.sink.ended(false);
    await vi.runAllTimersAsync();
    expect([world.watches.length, world.watch.from, world.reloads, world.live.count]).toEqual([2, '2', 0, 1]);
  });

  it('begins anew when the cursor is no longer good', async () => {
    begin(1);
    world.server = [8, 9];
    world.watch.sink.ended(true);
    await vi.runAllTimersAsync();
    expect([world.shown, world.watch.from]).toEqual([[9, 8], '9']);
  });
});

describe('an empty live feed', () => {
  it('shows the first chirp at once', async () => {
    begin();
    world.post(1);
    await vi.runAllTimersAsync();
    expect([world.shown, world.live.count, world.watch.from]).toEqual([[1], 0, '1']);
  });

  it('finds what was posted before the subscription ran', async () => {
    begin();
    world.server.push(1); // unheard
    await vi.runAllTimersAsync();
    expect(world.shown).toEqual([1]);
  });

  it('finds what was posted while the connection was lost', async () => {
    begin();
    await vi.runAllTimersAsync();
    world.server.push(1); // unheard
    world.live.connected();
    await vi.runAllTimersAsync();
    expect(world.shown).toEqual([1]);
  });
});
