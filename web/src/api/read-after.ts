/** Where a position outlives a reload: a Storage, or anything like it. */
export type Keep = Pick<Storage, 'getItem' | 'setItem' | 'removeItem'>;

const KEY = 'chirp-read-after';

/**
 * Remembers the position in the log of the last thing that the user did. Queries send
 * it along, and the server answers with at least that much: nobody misses what they
 * just wrote, whichever server answers.
 */
export class ReadAfter {
  constructor(private readonly keep: Keep) {}

  get position(): string | null {
    return this.keep.getItem(KEY);
  }

  /** Takes note of every position in a mutation's data. It never goes back. */
  note(data: unknown): void {
    if (typeof data !== 'object' || data === null) return;
    for (const payload of Object.values(data) as unknown[]) {
      const position = (payload as { position?: unknown } | null)?.position;
      if (typeof position === 'string' && isAfter(position, this.position)) this.keep.setItem(KEY, position);
    }
  }

  forget(): void {
    this.keep.removeItem(KEY);
  }
}

// Positions have 64 bits, more than a number can tell apart.
function isAfter(a: string, b: string | null): boolean {
  return /^\d+$/.test(a) && (b === null || BigInt(a) > BigInt(b));
}
