/** Which content coding a client gets. */
import { expect, it } from 'vitest';
import { chooseEncoding } from '../../../src/lib/http/page-handler.ts';

it.each([
  ['gzip, deflate, br, zstd', 'br'],
  ['gzip, deflate', 'gzip'],
  ['x-gzip', 'gzip'],
  ['GZIP;Q=0.5, BR ; q=0.4', 'gzip'],
  ['br;q=0.5, gzip;q=0.5', 'br'],
  ['br;q=1.000,gzip;q=0.999', 'br'],
  ['br;q=0, gzip;q=0.001', 'gzip'],
  ['*', 'br'],
  ['br;q=0, *', 'gzip'],
  ['identity, *;q=0', 'identity'],
  ['identity;q=0.9, gzip;q=0.8', 'identity'],
  ['identity;q=0, gzip;q=0.1', 'gzip'],
  ['gzip;q=0', 'identity'],
  ['zstd', 'identity'],
  ['', 'identity'],
  [null, 'identity'],
  // Not valid: these members are ignored.
  ['br;q=2, gzip', 'gzip'],
  ['br;q=high, gzip;q=0.0001', 'identity'],
  [',, ;q=1, gzip', 'gzip'],
])('%j: %s', (header, expected) => {
  expect(chooseEncoding(header)).toBe(expected);
});

it.each(['identity;q=0', '*;q=0', 'zstd, *;q=0', 'br;q=0, gzip;q=0.000, identity;q=0'])(
  '%j: none, because the client excludes all',
  (header) => {
    expect(chooseEncoding(header)).toBeUndefined();
  },
);
