import { describe, expect, it } from 'vitest';
import { ago, counted } from '../src/text/words';

describe('ago', () => {
  const now = Date.parse('2026-06-15T12:00:00.000Z');
  it.each([
    ['2026-06-15T12:00:09.000Z', 'now'], // from a clock that is ahead
    ['2026-06-15T11:59:01.000Z', 'now'],
    ['2026-06-15T11:59:00.000Z', '1 min'],
    ['2026-06-15T11:00:01.000Z', '59 min'],
    ['2026-06-14T12:00:01.000Z', '23 h'],
    ['2026-06-09T12:00:00.000Z', '6 d'],
    ['2026-03-02T12:00:00.000Z', 'Mar 2'],
    ['2025-03-02T12:00:00.000Z', 'Mar 2, 2025'],
  ])('formats %s as %s', (moment, want) => {
    expect(ago(new Date(moment), now)).toBe(want);
  });
});

describe('counted', () => {
  it.each([
    [0, '0 followers'],
    [1, '1 follower'],
    [999, '999 followers'],
    [37_700, '37.7K followers'],
  ])('formats %i as %s', (n, want) => {
    expect(counted(n, 'follower')).toBe(want);
  });
});
