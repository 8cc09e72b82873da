/** What the model is sent: the system prompt, the chat history and the question. */
import type { Interaction } from './interaction-row.ts';

/** One message of a prompt, as LangChain takes it. */
export type Message = ['system' | 'human' | 'ai', string];

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
