/** Reads and checks single environment variables, and collects what is wrong with them. */

/** Environment variables, by name. An empty value means unset. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** Reads settings by name. An invalid value is added to `problems` or `warnings`, one sentence each. */
export class SettingsReader {
  /** Errors that stop the app from answering questions. */
  readonly problems: string[] = [];
  /** Errors that do not stop the app. */
  readonly warnings: string[] = [];
  /** Names of all settings that were read, set or not. */
  readonly knownNames = new Set<string>();
  readonly #env: Environment;

  constructor(env: Environment) {
    this.#env = env;
  }

  text(name: string): string | undefined {
    this.knownNames.add(name);
    return this.#env[name]?.trim() || undefined;
  }

  /** Reads a comma-separated list; empty when the setting is not set. */
  list(name: string): string[] {
    const items = this.text(name)?.split(',') ?? [];
    return items.map((item) => item.trim()).filter(Boolean);
  }

  required(name: string): string {
    return this.text(name) ?? this.missing(name);
  }

  missing(name: string): string {
    this.problems.push(`${name} is missing.`);
    return '';
  }

  number(name: string, rule: { min: number; max?: number; integer?: boolean }): number | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    const value = Number(text);
    const max = rule.max ?? Number.MAX_SAFE_INTEGER;
    if (
      (rule.integer ? Number.isSafeInteger(value) : Number.isFinite(value)) &&
      value >= rule.min &&
      value <= max
    ) {
      return value;
    }
    const kind = rule.integer ? 'a whole number' : 'a number';
    const range = rule.max === undefined ? `of at least ${rule.min}` : `from ${rule.min} to ${rule.max}`;
    this.problems.push(`${name} must be ${kind} ${range}.`);
    return undefined;
  }

  oneOf<Choice extends string>(name: string, choices: Choice[]): Choice | undefined {
    const text = this.text(name);
    const choice = choices.find((each) => each === text);
    if (text !== undefined && choice === undefined) {
      this.problems.push(`${name} must be ${choices.map((each) => `"${each}"`).join(' or ')}.`);
    }
    return choice;
  }

  /** Checks that `keys`, the values of the setting `name`, can be sent in an HTTP header. */
  checkKeys(name: string, keys: readonly string[]): void {
    if (keys.some((key) => /[^\x20-\x7e\xa0-\xff]/.test(key))) {
      this.problems.push(`${name} contains a character that is not allowed in a key: copy it again.`);
    }
  }

  /** Reads an address without a trailing slash. Plain http is allowed, for a service in the same network. */
  httpUrl(name: string): string | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    const url = URL.parse(text);
    if (!url || !/^https?:$/.test(url.protocol) || url.search !== '') {
      this.problems.push(`${name} must be an address like http://localhost:4318.`);
      return undefined;
    }
    return url.origin + url.pathname.replace(/\/+$/, '');
  }

  /** Reads an address without a trailing slash or a query. Plain http is allowed only for the local machine. */
  httpsUrl(name: string): string | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    const url = URL.parse(text);
    if (url?.protocol === 'https:' || (url?.protocol === 'http:' && isLocal(url)))
      return url.origin + url.pathname.replace(/\/+$/, '');
    this.problems.push(`${name} must be an address that begins with https://.`);
    return text;
  }

  /** `otherwise` says what else the setting may be, as the end of a sentence. */
  connectionString(name: string, otherwise = ''): string | undefined {
    const text = this.text(name);
    if (text !== undefined && !isConnectionString(text)) {
      this.problems.push(
        `${name} is not a storage connection string: copy the complete string from "Access keys" of the storage account${otherwise}.`,
      );
    }
    return text;
  }
}

/** Whether an address is one of this machine. */
export const isLocal = ({ hostname }: URL): boolean => ['localhost', '127.0.0.1', '[::1]'].includes(hostname);

/** Whether the storage client accepts this string: an account and its key, or an address with a SAS token. */
function isConnectionString(text: string): boolean {
  if (/UseDevelopmentStorage=true/i.test(text)) return true;
  const parts = new Map(
    text.split(';').map((part) => {
      const [name = '', ...value] = part.trim().split('=');
      return [name.toLowerCase(), value.join('=')] as const;
    }),
  );
  const account = parts.get('accountname');
  const endpoint =
    parts.get('tableendpoint') ||
    `${parts.get('defaultendpointsprotocol')}://${account}.table.${parts.get('endpointsuffix') ?? ''}`;
  const url = URL.parse(endpoint);
  if (!url || !/^https?:$/.test(url.protocol) || url.hostname.endsWith('.')) return false;
  if (parts.get('accountkey')) return Boolean(account && parts.get('defaultendpointsprotocol'));
  return Boolean(parts.get('tableendpoint') && parts.get('sharedaccesssignature'));
}

/**
 * Former names, and where their values are now. Without these, sessions would be read from another account, a fallback would
 * be asked for another deployment, and costs would be gone.
 */
const RENAMED = new Map([
  ['SESSIONS_STORAGE_CONNECTION_STRING', 'SESSIONS_STORAGE'],
  ['SESSIONS_TABLE_ENDPOINT', 'SESSIONS_STORAGE'],
  ['AZURE_OPENAI_FALLBACK_DEPLOYMENTS', 'AZURE_OPENAI_FALLBACK_ENDPOINTS, as DEPLOYMENT=ADDRESS'],
  ['MODEL_PRICE_INPUT', 'MODEL_PRICES, as input=PRICE'],
  ['MODEL_PRICE_CACHED_INPUT', 'MODEL_PRICES, as cached_input=PRICE'],
  ['MODEL_PRICE_OUTPUT', 'MODEL_PRICES, as output=PRICE'],
  ['MODEL_PRICE_CACHE_WRITE', 'MODEL_PRICES, as cache_write=PRICE'],
  ['MODEL_PRICE_LONG_CONTEXT_TOKENS', 'MODEL_PRICES, as long_context_tokens=NUMBER'],
]);

/** Returns a sentence for each of `names` that is a former name of a setting. */
export const renamedProblems = (names: readonly string[]): string[] =>
  names.flatMap((name) => {
    const now = RENAMED.get(name);
    return now === undefined ? [] : `${name} is not a setting any more: move its value to ${now}.`;
  });

/** Names with these prefixes are most likely meant for this app. Other tools have settings with the last one too. */
const APP_PREFIX = /^(?:ANSWER_CACHE|HISTORY|MODEL|SESSIONS|(AZURE_OPENAI))_/;
/** A name is mistyped when this part of the longer name is the same from the beginning. */
const SAME_PART = 0.8;

/** Returns a sentence for each of `names` that is not in `known`, but is like a name there or has the prefix of one. */
export function unknownNameWarnings(names: readonly string[], known: ReadonlySet<string>): string[] {
  return names
    .filter((name) => !known.has(name) && !RENAMED.has(name))
    .flatMap((name) => {
      const likely = likelyName(name, [...known]);
      if (likely !== undefined) return `${name} is not a setting of this app: did you mean ${likely}?`;
      const [prefix, shared] = APP_PREFIX.exec(name) ?? [];
      return prefix !== undefined && shared === undefined ? `${name} is not a setting of this app.` : [];
    });
}

/** The known name with the same beginning, or with more words, such as AZURE_OPENAI_API_KEY for AZURE_OPENAI_KEY. */
function likelyName(name: string, known: string[]): string | undefined {
  const words = name.split('_');
  const prefix = APP_PREFIX.exec(name)?.[0];
  return (
    known.find((each) => samePart(name.toUpperCase(), each.toUpperCase()) >= SAME_PART) ??
    known.find(
      (each) =>
        prefix !== undefined &&
        each.startsWith(prefix) &&
        words.every((word) => each.split('_').includes(word)),
    )
  );
}

/** The part of the longer name that both begin with. */
function samePart(a: string, b: string): number {
  let same = 0;
  while (same < a.length && a[same] === b[same]) same++;
  return same / Math.max(a.length, b.length);
}
