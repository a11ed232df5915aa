import { beforeEach, describe, expect, it, vi } from 'vitest';
import { LiveFeed, MAX_WAITING, type FeedEdge, type Sink } from '../src/feed/live-feed';

const PAGE = 20;

/** A server with a feed of chirps 1, 2, 3, … and a page that shows it. */
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

  /** Posts chirps and delivers them to the open subscription. */
  post(...chirps: number[]): void {
    for (const chirp of chirps) {
      this.server.push(chirp);
      if (this.watch?.open) this.watch.sink.next(edge(chirp));
    }
  }

  /** Simulates a reconnect: the server delivers what came after the cursor. */
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

/** Starts the feed on a page that shows the given chirps. */
function start(...chirps: number[]): void {
  world.server = chirps;
  world.list = world.newest(PAGE);
  world.live.start();
}

describe('a live feed', () => {
  it('subscribes after the newest chirp that is shown', () => {
    start(1, 2);
    expect(world.watch.from).toBe('2');
  });

  it('holds new chirps back until asked, and shows them in order above the others', async () => {
    start(1, 2);
    const heard = vi.fn();
    world.live.listen(heard);
    world.post(3, 4);
    expect([world.live.count, world.shown, heard.mock.calls.length]).toEqual([2, [2, 1], 2]);
    await world.live.show();
    expect([world.live.count, world.shown]).toEqual([0, [4, 3, 2, 1]]);
  });

  it('resumes after the newest waiting chirp, and keeps no duplicates', async () => {
    start(1);
    world.post(2);
    world.server.push(3, 4); // not delivered
    world.resume();
    expect(world.watch.after()).toBe('4');
    world.watch.sink.next(edge(3)); // a duplicate from the server
    world.watch.sink.next(edge(1));
    await world.live.show();
    expect(world.shown).toEqual([4, 3, 2, 1]);
  });

  it('resumes after the newest shown chirp when none is waiting', async () => {
    start(1);
    world.post(2);
    await world.live.show();
    expect(world.watch.after()).toBe('2');
  });

  it('reloads the page when more chirps arrived than it keeps, and misses none', async () => {
    start(1);
    const many = Array.from({ length: MAX_WAITING + 5 }, (_, i) => i + 2);
    world.post(...many);
    expect(world.live.count).toBe(MAX_WAITING + 5);
    await world.live.show();
    expect([world.live.count, world.reloads]).toEqual([0, 1]);
    expect(world.shown).toEqual(many.toReversed().slice(0, PAGE));
    expect(world.watch.from).toBe(String(MAX_WAITING + 6));
  });

  it('reloads when the reader follows other users', async () => {
    start(1, 2);
    world.post(3);
    world.server = [2, 5];
    await world.live.restart();
    expect([world.shown, world.live.count, world.watch.from]).toEqual([[5, 2], 0, '5']);
    expect(world.watches.filter((watch) => watch.open).length).toBe(1);
  });

  it('lets the last of several restarts win', async () => {
    start(1);
    await Promise.all([world.live.restart(), world.live.restart(), world.live.restart()]);
    expect(world.watches.filter((watch) => watch.open).length).toBe(1);
  });

  it('keeps what it has when a reload fails, and reloads later', async () => {
    start(1);
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
    start(1);
    const restart = world.live.restart();
    world.live.stop();
    await restart;
    expect(world.watches.filter((watch) => watch.open).length).toBe(0);
  });

  it('resumes after the same cursor when the server ends the subscription', async () => {
    start(1);
    world.post(2);
    world.watch.sink.ended(false);
    await vi.runAllTimersAsync();
    expect([world.watches.length, world.watch.from, world.reloads, world.live.count]).toEqual([2, '2', 0, 1]);
  });

  it('reloads when the cursor is no longer valid', async () => {
    start(1);
    world.server = [8, 9];
    world.watch.sink.ended(true);
    await vi.runAllTimersAsync();
    expect([world.shown, world.watch.from]).toEqual([[9, 8], '9']);
  });
});

describe('an empty live feed', () => {
  it('shows the first chirp at once', async () => {
    start();
    world.post(1);
    await vi.runAllTimersAsync();
    expect([world.shown, world.live.count, world.watch.from]).toEqual([[1], 0, '1']);
  });

  it('finds what was posted before the subscription was running', async () => {
    start();
    world.server.push(1); // not delivered
    await vi.runAllTimersAsync();
    expect(world.shown).toEqual([1]);
  });

  it('finds what was posted while the connection was lost', async () => {
    start();
    await vi.runAllTimersAsync();
    world.server.push(1); // not delivered
    world.live.connected();
    await vi.runAllTimersAsync();
    expect(world.shown).toEqual([1]);
  });
});
