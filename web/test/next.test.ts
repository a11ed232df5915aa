import { describe, expect, it } from 'vitest';
import { localPath } from '../src/text/next';

const ORIGIN = 'https://chirp.example';

describe('localPath', () => {
  it.each([
    ['/@mira', '/@mira'],
    ['/explore/people?a=b#c', '/explore/people?a=b#c'],
    ['explore', '/explore'],
    ['https://chirp.example/@mira', '/@mira'],
    ['/@mira/../explore', '/explore'],
    ['/%2F%2Fevil.example', '/%2F%2Fevil.example'],
    ['https:evil.example', '/evil.example'], // relative, because the scheme is the site's
  ])('keeps %j on this site', (text, want) => {
    expect(localPath(text, ORIGIN)).toBe(want);
  });
  it.each([
    null,
    '',
    '//evil.example',
    '///evil.example',
    '/\\evil.example',
    '\\\\evil.example',
    '\\/evil.example',
    '/\t/evil.example',
    '\t//evil.example',
    '/\n/evil.example',
    '/\r\\evil.example',
    ' //evil.example',
    '\u0000//evil.example',
    '/.//evil.example',
    '/..//evil.example',
    '/@mira/..//evil.example',
    '/./\\evil.example',
    'https://evil.example',
    'https:/\\evil.example',
    'http://chirp.example/@mira',
    'https://chirp.example:8443/',
    'https://chirp.example@evil.example/',
    'https://chirp.example.evil.example/',
    'javascript:alert(1)',
    'java\tscript:alert(1)',
    ' javascript:alert(1)',
    'JavaScript:alert(1)',
    'data:text/html,x',
    'blob:https://chirp.example/1',
    'https://[',
  ])('leads home for %j', (text) => {
    expect(localPath(text, ORIGIN)).toBe('/');
  });
});
