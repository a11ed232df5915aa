const PATHS = {
  home: 'M4 11.5 12 4l8 7.5V20h-5.5v-5.5h-5V20H4z',
  explore: 'M11 4a7 7 0 1 0 0 14 7 7 0 0 0 0-14zm5 12 4.5 4.5',
  person: 'M12 4a4 4 0 1 0 0 8 4 4 0 0 0 0-8zM4.5 20c.8-4 3.7-6 7.5-6s6.7 2 7.5 6',
  write: 'M5 19c1-7 5-12.5 14-14-.5 6-3.5 9.5-9 10M5 19l6-7.5',
  account: 'M12 3.5 18.5 6v5.5c0 4-2.7 7-6.5 9-3.8-2-6.5-5-6.5-9V6zm-2.8 8.3 2 2 3.8-3.8',
  leave: 'M14 5H6v14h8M10 12h10m-3.5-3.5L20 12l-3.5 3.5',
  back: 'M11 5l-7 7 7 7M4.5 12H20',
} as const;

/** A decorative icon beside a label. */
export function Icon({ name }: { name: keyof typeof PATHS }) {
  return (
    <svg className="icon" viewBox="0 0 24 24" aria-hidden="true">
      <path d={PATHS[name]} />
    </svg>
  );
}

/** Chirp's logo. */
export function Bird() {
  return (
    <svg className="bird" viewBox="0 0 32 32" aria-hidden="true">
      <rect width="32" height="32" rx="9" />
      <path d="M8 20c5 4.5 13 3 14-4l4-2.5-4.2-.6C20.5 9 15.5 9 14.2 13L7 11.5c.4 3 2 4.8 4 5.5-1 .8-2 .9-3.5.7z" />
      <circle cx="18" cy="13.3" r="1.2" />
    </svg>
  );
}
