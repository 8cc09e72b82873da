/** The parts of a model's response that LangChain skips although they decide what the answer is. */
import { type EventBatches, StreamFailedError } from './event-stream.ts';

interface Text {
  content?: string | null;
  refusal?: string | null;
}

/** Chat completions have `choices`, events of the Responses API have `type`. */
interface ResponsePart {
  choices?: { delta?: Text | null; message?: Text; finish_reason?: string | null }[];
  usage?: object | null;
  type?: string;
  delta?: string;
  code?: string | null;
  response?: { error?: { code?: string } | null };
}

/** The event of the Responses API with a piece of text. */
const TEXT_DELTA = 'response.output_text.delta';

/** The finish reason of an answer in which the model says why it does not answer. It is not cached. */
export const REFUSAL = 'refusal';

/** Turns the refusal of a chat completion into its text. */
export function normalizeResponse(response: object): object {
  const [choice] = (response as ResponsePart).choices ?? [];
  if (choice?.message?.refusal) {
    choice.message.content = choice.message.refusal;
    choice.finish_reason = REFUSAL;
  }
  return response;
}

/**
 * Passes the events of a stream on to LangChain, except text: that goes to `onText`. LangChain would make messages of each
 * piece of text, which takes more CPU than all else (docs/performance.md). The refusal of a chat completion becomes text.
 * A choice without `delta` gets one: Azure's asynchronous content filter sends such choices, and LangChain would skip
 * them together with their `finish_reason` (learn.microsoft.com/azure/ai-foundry/openai/concepts/content-streaming).
 * @throws StreamFailedError for the events `error` and `response.failed`, which LangChain ignores.
 */
export async function* normalizeStream(
  batches: EventBatches,
  onText: (text: string) => void,
): AsyncGenerator<object, void, void> {
  let refused = false;
  for await (const batch of batches) {
    for (const event of batch as Iterable<ResponsePart>) {
      const { choices, type, code, response } = event;
      const choice = choices?.[0];
      const delta = choice && (choice.delta ??= {});
      refused ||= Boolean(delta?.refusal);
      if (choice?.finish_reason && refused) choice.finish_reason = REFUSAL;
      const text = delta?.content || delta?.refusal || (type === TEXT_DELTA && event.delta);
      // A server may send other content than text.
      if (typeof text === 'string') onText(text);
      if (delta) delta.content = '';
      if (type === 'error') throw new StreamFailedError(code ?? undefined);
      if (type === 'response.failed') throw new StreamFailedError(response?.error?.code);
      const isOnlyText = type === TEXT_DELTA || (choice && !choice.finish_reason && !event.usage);
      if (!isOnlyText) yield event;
    }
  }
}
