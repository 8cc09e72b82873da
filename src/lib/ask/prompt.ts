/** The prompt for the model: the system prompt, the chat history and the question. */
import type { Message } from '../model/completion.ts';
import type { Interaction } from '../history/interaction.ts';

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
