const numbers = new Intl.NumberFormat('en', { notation: 'compact', maximumFractionDigits: 1 });

/** Returns a count with its noun: "1 chirp", "3 chirps", "37.7K chirps". */
export function counted(n: number, one: string, many = `${one}s`): string {
  return `${numbers.format(n)} ${n === 1 ? one : many}`;
}

/** Returns a count, abbreviated if it is large. */
export function short(n: number): string {
  return numbers.format(n);
}

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** Returns how long ago a moment was, abbreviated; for a week or more, its date. */
export function ago(moment: Date, now: number): string {
  const passed = now - moment.getTime(); // negative if the clocks differ
  if (passed < MINUTE) return 'now';
  if (passed < HOUR) return `${Math.floor(passed / MINUTE)} min`;
  if (passed < DAY) return `${Math.floor(passed / HOUR)} h`;
  if (passed < 7 * DAY) return `${Math.floor(passed / DAY)} d`;
  const sameYear = moment.getFullYear() === new Date(now).getFullYear();
  return moment.toLocaleDateString('en', { day: 'numeric', month: 'short', year: sameYear ? undefined : 'numeric' });
}

/** Returns a moment's full date and time. */
export function inFull(moment: Date): string {
  return moment.toLocaleString('en', { dateStyle: 'long', timeStyle: 'short' });
}
