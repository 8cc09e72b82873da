/**
 * The answers of the model in `npm run soak` and `npm run crash`. Each contains a digest of the whole prompt, so that an
 * answer to another prompt is recognized: a wrong history, or a cached answer under a wrong key.
 */
import { hash } from 'node:crypto';

/** A message of a prompt, as the model receives it. */
interface Message {
  role: string;
  content: string;
}

/** A question with its answer. */
export interface Interaction {
  question: string;
  answer: string;
}

/** The setting SYSTEM_PROMPT of the app. */
export const SYSTEM_PROMPT = 'Repeat the question.';

/** Answers a prompt. `call` is the number of model calls with this question so far. */
export function answerTo(messages: Message[], call: number): string {
  const question = messages.at(-1)?.content ?? '';
  const words = Number(/(\d+) words/.exec(question)?.[1] ?? 0);
  const text = Array.from({ length: words }, (_, index) => ` word${index}`).join('');
  return `${question} [call ${call}, prompt ${digestOf(messages)}]${text}`;
}

/** Returns what is wrong with an answer to `question` after `history`; null when nothing is. */
export function faultOfAnswer(
  answer: string,
  history: readonly Interaction[],
  question: string,
): string | null {
  if (!answer.startsWith(`${question} [call `))
    return `the answer is to another question: ${shorten(answer)}`;
  const found = /\[call \d+, prompt ([\da-f]+)\]/.exec(answer)?.[1];
  if (found === promptDigest(history, question)) return null;
  return `the model got another prompt than the history of ${history.length} interactions: ${shorten(answer)}`;
}

/** The digest in the answer to `question` after `history`, oldest first. */
function promptDigest(history: readonly Interaction[], question: string): string {
  const past = history.flatMap((turn) => [
    { role: 'user', content: turn.question },
    { role: 'assistant', content: turn.answer },
  ]);
  return digestOf([{ role: 'system', content: SYSTEM_PROMPT }, ...past, { role: 'user', content: question }]);
}

const digestOf = (messages: Message[]): string =>
  hash('sha256', JSON.stringify(messages.map(({ role, content }) => [role, content]))).slice(0, 16);

const shorten = (text: string): string => (text.length > 90 ? `${text.slice(0, 90)}...` : text);
