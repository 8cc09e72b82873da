/** Reads environment variables by rules. It is for config.ts alone, which says what they are. */

/** Environment variables, by name. An empty value means unset. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** Reads settings one by one and collects what is wrong with them. */
export class SettingsReader {
  readonly problems: string[] = [];
  /** What is wrong, but in nobody's way. */
  readonly warnings: string[] = [];
  /** Of all settings that were asked for, set or not. */
  readonly names = new Set<string>();
  readonly #env: Environment;

  constructor(env: Environment) {
    this.#env = env;
  }

  text(name: string): string | undefined {
    this.names.add(name);
    return this.#env[name]?.trim() || undefined;
  }

  /** Of a comma-separated list; empty when it is unset. */
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
    const choice = choices.find((one) => one === text);
    if (text !== undefined && choice === undefined) {
      this.problems.push(`${name} must be ${choices.map((one) => `"${one}"`).join(' or ')}.`);
    }
    return choice;
  }

  /** An address that is wrong is left out: what it is for, the app can do without. */
  redisUrl(name: string): string | undefined {
    const text = this.text(name);
    if (text === undefined || isRedisUrl(text)) return text;
    // It may hold a password, so the message does not.
    this.warnings.push(
      `${name} must be an address like rediss://:KEY@NAME.redis.cache.windows.net:6380, with special characters of the key percent-encoded: the app goes on without Redis.`,
    );
    return undefined;
  }

  /** The value of `name`, or of its list, that is sent in a header; `keys` are its values. */
  checkKeys(name: string, keys: readonly string[]): void {
    if (keys.some((key) => /[^\x20-\x7e\xa0-\xff]/.test(key))) {
      this.problems.push(`${name} has a character that cannot be in a key: copy it again.`);
    }
  }

  /** Of a service in the same network, where http is usual. */
  anyAddress(name: string): string | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    const url = URL.parse(text);
    if (!url || !/^https?:$/.test(url.protocol) || url.search !== '') {
      this.problems.push(`${name} must be an address like http://localhost:4318.`);
      return undefined;
    }
    return url.origin + url.pathname.replace(/\/+$/, '');
  }

  endpoint(name: string): string | undefined {
    const text = this.text(name);
    return text === undefined ? undefined : this.checkAddress(name, text);
  }

  /** Gives `text`, a value of `name`, as an address without a slash at its end. */
  checkAddress(name: string, text: string): string {
    const url = URL.parse(text);
    const local = url?.hostname === 'localhost' || url?.hostname === '127.0.0.1';
    if (url?.protocol === 'https:' || (url?.protocol === 'http:' && local)) {
      return url.origin + url.pathname.replace(/\/+$/, '');
    }
    this.problems.push(
      `${name} must be an address like https://NAME.openai.azure.com (or https://NAME.table.core.windows.net).`,
    );
    return text;
  }

  connectionString(name: string): string | undefined {
    const text = this.text(name);
    if (text !== undefined && !isConnectionString(text)) {
      this.problems.push(
        `${name} is not a storage connection string: copy it whole from "Access keys" of the storage account.`,
      );
    }
    return text;
  }
}

/** By what the Redis client takes. */
function isRedisUrl(text: string): boolean {
  const url = URL.parse(text);
  if (!url || !/^rediss?:$/.test(url.protocol) || url.hostname === '') return false;
  try {
    decodeURIComponent(url.username + url.password);
  } catch {
    return false;
  }
  return /^(\/\d*)?$/.test(url.pathname);
}

/** By what the storage client takes: an account with its key, or an address with a signature. */
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
