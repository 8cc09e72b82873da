/** Recognizes a test in which every request fails, and explains the failure. */
import type { Outcome } from './ask.ts';

/** Failures without an answer after which the test stops, where the cause could pass by itself. */
const MAX_FAILURES = 5;

interface Cause {
  /** Matches the error of a request, see `Outcome.error`. */
  error: RegExp;
  /** What happened, and what to do. */
  explain: (url: URL) => string;
}

const KEY_HELP =
  'Send the function key with --key. "npm start -- --enable-auth" prints the key of the local app; for an app on ' +
  'Azure it is under "App keys" in the portal, or: az functionapp keys list --name APP --resource-group GROUP';

/** Causes that do not pass by themselves. */
const CAUSES: Cause[] = [
  {
    error: /^ECONNREFUSED$/,
    explain: ({ href }) =>
      `Nothing listens at ${href}. Start the app with "npm start", or name another one with --url.`,
  },
  {
    error: /^(ENOTFOUND|EAI_AGAIN)$/,
    explain: ({ hostname }) => `The host ${hostname} is unknown. Check --url.`,
  },
  {
    error: /^401 invalid_api_key/,
    explain: () => 'The app knows its callers by their keys. Send the key of one with --key.',
  },
  { error: /^401/, explain: () => `The app requires a key, and the key is missing or wrong. ${KEY_HELP}` },
  {
    error: /^403/,
    explain: () =>
      `The app, or the network in front of it, refuses this caller. ${KEY_HELP}. If the key is right, check that the ` +
      'app is running and that its access restrictions allow this address.',
  },
  {
    error: /^404/,
    explain: ({ pathname }) =>
      `The server has no ${pathname}. Check the path of --url: questions go to /ask.`,
  },
  {
    error: /misconfigured$/,
    explain: () =>
      'The settings of the app are wrong. The log of the app names the setting; for the local app, "npm start" ' +
      'prints it.',
  },
  {
    error: /CERT|SELF_SIGNED|UNABLE_TO_/,
    explain: ({ hostname }) =>
      `The certificate of ${hostname} is not trusted. Check the host in --url, or name the file with its issuer's ` +
      'certificate in NODE_EXTRA_CA_CERTS.',
  },
  {
    error: /SSL_WRONG_VERSION|SSL_PACKET_LENGTH/,
    explain: () =>
      'The server does not speak HTTPS on this port. Check --url: it may have to begin with http:.',
  },
];

const causeOf = (error: string): Cause | undefined => CAUSES.find((cause) => cause.error.test(error));

/**
 * Returns whether the test should stop, because nothing was answered and nothing will be. `clients` is the number of
 * clients, and `failed` the number of those that have failed at least once: an answer may be on its way to the others.
 */
export function isHopeless(requests: Outcome[], clients: number, failed: number): boolean {
  if (requests.length === 0 || requests.some(({ error }) => error === null)) return false;
  if (requests.some(({ error }) => causeOf(error ?? ''))) return true;
  return requests.length >= MAX_FAILURES && failed >= clients;
}

/** A run in which every request failed. */
interface FailedRun {
  url: string;
  requests: Outcome[];
  interrupted: boolean;
}

/** Explains why every request failed, and what to do. `errors` counts the failures by error. */
export function explainFailure(
  { url, requests, interrupted }: FailedRun,
  errors: Record<string, number>,
): string {
  const counts = Object.entries(errors).toSorted((a, b) => b[1] - a[1]);
  const cause = counts.map(([error]) => causeOf(error)).find((found) => found !== undefined);
  const count = requests.length === 1 ? '1 request' : `${requests.length} requests`;
  return [
    `No answer from ${url} to ${count}${interrupted ? ', so the test was stopped early' : ''}: ` +
      `${counts.map(([error, times]) => `${times} x ${error}`).join(', ')}.`,
    cause?.explain(new URL(url)) ??
      'Ask one question with curl to see the whole response; the log of the app has the details.',
  ].join('\n');
}
