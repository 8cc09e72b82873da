/** The prompt for the model: the system prompt, the chat history and the question. */
import type { Message } from '../model/completion.ts';
import type { Interaction } from '../history/interaction.ts';
import { digest, type SessionKey } from '../history/row-keys.ts';

/** Builds the messages for `question` after `interactions` (oldest first). */
export function buildPrompt(
  systemPrompt: string,
  interactions: readonly Interaction[],
  question: string,
): Message[] {
  const history = interactions.flatMap((past): Message[] => [
    ['human', past.question],
    ['ai', past.answer],
  ]);
  return [['system', systemPrompt], ...history, ['human', question]];
}

/**
 * Gives the `prompt_cache_key` of a session, in 43 characters: the provider sends prompts with the same key and beginning
 * to the same machine, which has that beginning in its cache. A digest, so that the provider learns neither session nor
 * user: developers.openai.com/api/docs/guides/prompt-caching.
 */
export const promptCacheKeyOf = ({ userId, sessionId }: SessionKey): string =>
  digest('prompt_cache_key', userId, sessionId);
