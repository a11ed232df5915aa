/** A chirp in the feed and its cursor. Cursors are opaque: they do not reveal the order. */
export interface FeedEdge {
  cursor: string;
  node: { id: string };
}

/** What a live feed needs from the cache and the server. */
export interface FeedSource<E extends FeedEdge> {
  /** Returns the edges that the list shows, newest first. */
  shown(): readonly E[];
  /** Inserts edges at the head of the list. */
  prepend(edges: E[]): void;
  /** Replaces the list with its newest page. */
  reload(): Promise<void>;
  /**
   * Subscribes to additions to the feed. It calls `after` for the cursor at the start and
   * after each lost connection. The returned function ends the subscription.
   */
  watch(after: () => string | null, sink: Sink<E>): () => void;
}

/** Receives what a subscription delivers. */
export interface Sink<E extends FeedEdge> {
  next(edge: E): void;
  /** The subscription has ended and will not reconnect; `cursorInvalid` if it cannot resume after the same cursor. */
  ended(cursorInvalid: boolean): void;
}

/** How many edges are kept until the reader asks for them. Beyond that the list is reloaded instead. */
export const MAX_WAITING = 100;

const RELOAD_DELAY = 1_000; // ms
const RETRY_DELAY = 3_000; // ms

/**
 * Adds live chirps to a paginated list, without gaps or duplicates.
 *
 * New edges wait until the reader asks for them. The subscription resumes after the newest
 * known edge, whether waiting or shown, so that nothing is missed while the connection is
 * lost. Duplicates are recognized by their id.
 *
 * An empty list has no cursor to resume after. It is reloaded once a subscription without
 * a cursor is certain to be running, and when that subscription delivers an edge.
 */
export class LiveFeed<E extends FeedEdge> {
  #waiting: E[] = []; // newest first
  #dropped = 0;
  #listeners = new Set<() => void>();
  #unwatch: (() => void) | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #round = 0;
  #stale = false;

  constructor(private readonly source: FeedSource<E>) {}

  /** The number of chirps waiting to be shown. */
  get count(): number {
    return this.#waiting.length + this.#dropped;
  }

  listen = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  /** Starts the subscription. The list's first page must be loaded. */
  start(): void {
    this.stop();
    this.#unwatch = this.source.watch(() => this.#newest(), {
      next: (edge) => this.#receive(edge),
      ended: (cursorInvalid) => this.#schedule(RETRY_DELAY, () => (cursorInvalid ? void this.restart() : this.start())),
    });
    this.#reloadIfEmpty();
  }

  stop(): void {
    this.#round++;
    clearTimeout(this.#timer);
    this.#unwatch?.();
    this.#unwatch = null;
  }

  /** Tells the feed that the connection is up again. */
  connected(): void {
    if (this.#stale) void this.restart();
    else if (this.#unwatch) this.#reloadIfEmpty();
  }

  /**
   * Reloads the list and resumes from there. Needed when its contents have changed, because
   * the reader now follows other users.
   */
  async restart(): Promise<void> {
    this.stop();
    const round = this.#round;
    this.#stale = !(await this.#reload());
    if (round !== this.#round) return; // stopped or restarted in the meantime
    if (!this.#stale) this.#setWaiting([], 0);
    this.start();
    if (this.#stale) this.#schedule(RETRY_DELAY, () => void this.restart());
  }

  /** Shows the waiting chirps. */
  async show(): Promise<void> {
    if (this.#dropped > 0) return this.restart();
    const edges = unseen(this.#waiting, this.source.shown());
    this.#setWaiting([], 0);
    this.source.prepend(edges);
  }

  #receive(edge: E): void {
    if (this.#newest() === null) {
      void this.restart(); // other chirps may have been added before it
      return;
    }
    if (unseen([edge], [...this.#waiting, ...this.source.shown()]).length === 0) return;
    const waiting = [edge, ...this.#waiting];
    this.#setWaiting(waiting.slice(0, MAX_WAITING), this.#dropped + Math.max(0, waiting.length - MAX_WAITING));
  }

  #reloadIfEmpty(): void {
    if (this.#newest() === null) this.#schedule(RELOAD_DELAY, () => void this.#reload());
  }

  async #reload(): Promise<boolean> {
    try {
      await this.source.reload();
      return true;
    } catch {
      return false; // the list shows the error
    }
  }

  #newest(): string | null {
    return (this.#waiting[0] ?? this.source.shown()[0])?.cursor ?? null;
  }

  #setWaiting(waiting: E[], dropped: number): void {
    this.#waiting = waiting;
    this.#dropped = dropped;
    for (const listener of [...this.#listeners]) listener();
  }

  #schedule(ms: number, run: () => void): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(run, ms);
  }
}

/** Returns the edges whose chirps are not among the others. */
export function unseen<E extends FeedEdge>(edges: readonly E[], others: readonly FeedEdge[]): E[] {
  const ids = new Set(others.map((edge) => edge.node.id));
  return edges.filter((edge) => !ids.has(edge.node.id));
}
