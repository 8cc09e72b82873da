/** Reads environment variables by rules. It is for config.ts alone, which says what they are. */

/** Environment variables, by name. An empty value means unset. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** Reads settings one by one and collects what is wrong with them. */
export class SettingsReader {
  readonly problems: string[] = [];
  readonly #env: Environment;

  constructor(env: Environment) {
    this.#env = env;
  }

  text(name: string): string | undefined {
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

  redisUrl(name: string): string | undefined {
    const text = this.text(name);
    // It may hold a password, so the message does not.
    if (text !== undefined && !/^rediss?:$/.test(URL.parse(text)?.protocol ?? '')) {
      this.problems.push(`${name} must be an address like rediss://NAME.redis.cache.windows.net:6380.`);
    }
    return text;
  }

  /** Of a service in the same network, where http is usual. */
  anyAddress(name: string): string | undefined {
    const text = this.text(name);
    const url = text === undefined ? null : URL.parse(text);
    if (text !== undefined && !/^https?:$/.test(url?.protocol ?? '')) {
      this.problems.push(`${name} must be an address like http://localhost:4318.`);
    }
    return text?.replace(/\/+$/, '');
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
    if (text !== undefined && !/UseDevelopmentStorage=true|(AccountName|TableEndpoint)=./i.test(text)) {
      this.problems.push(`${name} is not a storage connection string.`);
    }
    return text;
  }
}
