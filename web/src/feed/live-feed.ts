/** A chirp's place in the feed. Cursors are opaque: they tell nothing of the order. */
export interface FeedEdge {
  cursor: string;
  node: { id: string };
}

/** What the live feed stands on. */
export interface FeedPorts<E extends FeedEdge> {
  /** What the list shows, newest first. */
  shown(): readonly E[];
  /** Puts edges at the head of the list. */
  prepend(edges: E[]): void;
  /** Has the list begin anew with the newest page. */
  reload(): Promise<void>;
  /**
   * Watches what is added to the feed. `after` is asked again whenever the connection
   * was lost. Gives a function that ends it.
   */
  watch(after: () => string | null, sink: Sink<E>): () => void;
}

/** What a watch tells. */
export interface Sink<E extends FeedEdge> {
  next(edge: E): void;
  /** It has ended for good; `anew` if it cannot go on after the same cursor. */
  ended(anew: boolean): void;
}

/** So many are kept to be shown. With more it is the better page that is loaded anew. */
export const MOST = 100;

const SETTLE = 1_000;
const AGAIN = 3_000;

/**
 * Adds live chirps to a list of pages without a gap and without a duplicate.
 *
 * New edges wait until the reader asks for them. The subscription resumes after the
 * newest edge that is known, waiting or shown, so nothing is missed while the
 * connection is lost; and whatever comes twice is known by its id.
 *
 * An empty list has no cursor to resume after. It is loaded again once a subscription
 * without one is sure to run, and when that says that something was added.
 */
export class LiveFeed<E extends FeedEdge> {
  #waiting: E[] = []; // newest first
  #dropped = 0;
  #listeners = new Set<() => void>();
  #unwatch: (() => void) | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #round = 0;
  #stale = false;

  constructor(private readonly ports: FeedPorts<E>) {}

  /** How many chirps wait to be shown. */
  get count(): number {
    return this.#waiting.length + this.#dropped;
  }

  listen = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  /** Begins to watch, once the list's first page is there. */
  start(): void {
    this.stop();
    this.#unwatch = this.ports.watch(() => this.#newest(), {
      next: (edge) => this.#receive(edge),
      ended: (anew) => this.#later(AGAIN, () => (anew ? void this.restart() : this.start())),
    });
    this.#settle();
  }

  stop(): void {
    this.#round++;
    clearTimeout(this.#timer);
    this.#unwatch?.();
    this.#unwatch = null;
  }

  /** The connection is there again. */
  connected(): void {
    if (this.#stale) void this.restart();
    else if (this.#unwatch) this.#settle();
  }

  /**
   * Loads the list anew and goes on from there: what it consists of has changed, for the
   * reader follows others now.
   */
  async restart(): Promise<void> {
    this.stop();
    const round = this.#round;
    this.#stale = !(await this.#reload());
    if (round !== this.#round) return; // stopped or started again meanwhile
    if (!this.#stale) this.#wait([], 0);
    this.start();
    if (this.#stale) this.#later(AGAIN, () => void this.restart());
  }

  /** Shows what waits. */
  async show(): Promise<void> {
    if (this.#dropped > 0) return this.restart();
    const edges = unseen(this.#waiting, this.ports.shown());
    this.#wait([], 0);
    this.ports.prepend(edges);
  }

  #receive(edge: E): void {
    if (this.#newest() === null) {
      void this.restart(); // there may be others before it
      return;
    }
    if (unseen([edge], [...this.#waiting, ...this.ports.shown()]).length === 0) return;
    const waiting = [edge, ...this.#waiting];
    this.#wait(waiting.slice(0, MOST), this.#dropped + Math.max(0, waiting.length - MOST));
  }

  #settle(): void {
    if (this.#newest() === null) this.#later(SETTLE, () => void this.#reload());
  }

  async #reload(): Promise<boolean> {
    try {
      await this.ports.reload();
      return true;
    } catch {
      return false; // the list shows why
    }
  }

  #newest(): string | null {
    return (this.#waiting[0] ?? this.ports.shown()[0])?.cursor ?? null;
  }

  #wait(waiting: E[], dropped: number): void {
    this.#waiting = waiting;
    this.#dropped = dropped;
    for (const listener of [...this.#listeners]) listener();
  }

  #later(ms: number, act: () => void): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(act, ms);
  }
}

/** Those of some edges whose chirps are not among others. */
export function unseen<E extends FeedEdge>(edges: readonly E[], others: readonly FeedEdge[]): E[] {
  const ids = new Set(others.map((edge) => edge.node.id));
  return edges.filter((edge) => !ids.has(edge.node.id));
}
