/** Storage in which a position survives a reload. */
export type PositionStorage = Pick<Storage, 'getItem' | 'setItem' | 'removeItem'>;

const KEY = 'chirp-read-after';

/**
 * Remembers the log position of the user's last mutation. Queries send it, and the server
 * waits until its views include it before it answers, so that users always see what they
 * just wrote, whichever server answers.
 */
export class ReadAfter {
  constructor(private readonly storage: PositionStorage) {}

  get position(): string | null {
    return this.storage.getItem(KEY);
  }

  /** Records the positions in a mutation's data. The remembered position never decreases. */
  record(data: unknown): void {
    if (typeof data !== 'object' || data === null) return;
    for (const payload of Object.values(data) as unknown[]) {
      const position = (payload as { position?: unknown } | null)?.position;
      if (typeof position === 'string' && isAfter(position, this.position)) this.storage.setItem(KEY, position);
    }
  }

  forget(): void {
    this.storage.removeItem(KEY);
  }
}

// Positions have 64 bits, more than a number can represent exactly.
function isAfter(a: string, b: string | null): boolean {
  return /^\d+$/.test(a) && (b === null || BigInt(a) > BigInt(b));
}
