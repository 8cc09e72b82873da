/**
 * The prompt cache of the provider: which tokens of a prompt are billed as read from it or written to it. The rules are
 * those of developers.openai.com/api/docs/guides/prompt-caching and
 * learn.microsoft.com/azure/foundry/openai/how-to/prompt-caching:
 * - A prompt is sent to a machine by the hash of its first 256 tokens or so and its `prompt_cache_key`. Of more than about
 *   15 requests a minute with the same hash and key, some go to other machines. Each machine has a cache of its own.
 * - Models before GPT-5.6 find the longest beginning that was sent before, of at least 1,024 tokens and in steps of 128.
 *   A beginning is kept for 5 to 10 minutes after its last use. Writing costs nothing.
 * - GPT-5.6 and later models write the prompt up to the end of its last message, from 1,024 tokens on, and find exactly
 *   that beginning again, for 30 minutes. What is written is billed.
 */
import { hash } from 'node:crypto';
import type { Message } from './answers.ts';
import { CHARS_PER_TOKEN, estimateTokens, type PromptUsage } from './completions.ts';

/** A prompt cache. */
export interface PromptCacheOptions {
  /** `steps`: of models before GPT-5.6; `messages`: of GPT-5.6 and later. */
  rules: 'steps' | 'messages';
  /** The time in milliseconds; by default that of the machine. */
  now?: () => number;
}

const MIN_TOKENS = 1024;
const STEP_TOKENS = 128;
const ROUTED_TOKENS = 256;
const REQUESTS_PER_MACHINE = 15;
const MINUTE_MS = 60_000;
const KEPT_MS = { steps: 5 * MINUTE_MS, messages: 30 * MINUTE_MS };

/** Without a cache, every token has the ordinary price. */
export const uncached = (messages: Message[]): PromptUsage => ({
  promptTokens: estimateTokens(textOf(messages)),
  cachedTokens: 0,
});

/** The caches of all machines. */
export class PromptCache {
  readonly #rules: PromptCacheOptions['rules'];
  readonly #now: () => number;
  /** When an entry expires, by machine and beginning of a prompt. */
  readonly #entries = new Map<string, number>();
  /** Requests in the current minute, by hash and key. */
  #requests = new Map<string, number>();
  #minute = 0;

  constructor({ rules, now = Date.now }: PromptCacheOptions) {
    this.#rules = rules;
    this.#now = now;
  }

  /** Gives how a prompt is billed, and keeps it. */
  use(messages: Message[], key: string): PromptUsage {
    const machine = this.#machineOf(textOf(messages), key);
    return this.#rules === 'steps' ? this.#bySteps(messages, machine) : this.#byMessages(messages, machine);
  }

  #bySteps(messages: Message[], machine: string): PromptUsage {
    const text = textOf(messages);
    const promptTokens = estimateTokens(text);
    let cachedTokens = 0;
    for (let tokens = MIN_TOKENS; tokens <= promptTokens; tokens += STEP_TOKENS) {
      if (this.#touch(machine, text.slice(0, tokens * CHARS_PER_TOKEN))) cachedTokens = tokens;
    }
    return { promptTokens, cachedTokens };
  }

  #byMessages(messages: Message[], machine: string): PromptUsage {
    const promptTokens = estimateTokens(textOf(messages));
    let cachedTokens = 0;
    for (let count = 1; count < messages.length; count++) {
      const beginning = textOf(messages.slice(0, count));
      if (this.#has(machine, beginning)) cachedTokens = estimateTokens(beginning);
    }
    const isKept = promptTokens >= MIN_TOKENS;
    const isRepeated = isKept && this.#touch(machine, textOf(messages));
    if (isRepeated) cachedTokens = promptTokens;
    return { promptTokens, cachedTokens, cacheWriteTokens: isKept ? promptTokens - cachedTokens : 0 };
  }

  /** Whether a machine has a beginning. */
  #has(machine: string, beginning: string): boolean {
    return (this.#entries.get(machine + digest(beginning)) ?? 0) > this.#now();
  }

  /** The same, and keeps it from now on. */
  #touch(machine: string, beginning: string): boolean {
    const had = this.#has(machine, beginning);
    this.#entries.set(machine + digest(beginning), this.#now() + KEPT_MS[this.#rules]);
    return had;
  }

  #machineOf(text: string, key: string): string {
    const minute = Math.floor(this.#now() / MINUTE_MS);
    if (minute !== this.#minute) this.#requests = new Map();
    this.#minute = minute;
    const route = digest(key + text.slice(0, ROUTED_TOKENS * CHARS_PER_TOKEN));
    const requests = this.#requests.get(route) ?? 0;
    this.#requests.set(route, requests + 1);
    return `${route} ${Math.floor(requests / REQUESTS_PER_MACHINE)} `;
  }
}

const textOf = (messages: Message[]): string => messages.map(({ content }) => content).join('');
const digest = (text: string): string => hash('sha256', text, 'base64');
