/** The parts of a model's response that LangChain skips although they decide what the answer is. */

interface Text {
  content?: string | null;
  refusal?: string | null;
}

/** Chat completions have `choices`, events of the Responses API have `type`. */
interface ResponsePart {
  choices?: { delta?: Text | null; message?: Text; finish_reason?: string | null }[];
  type?: string;
  code?: string | null;
  response?: { error?: { code?: string } | null };
}

/** The finish reason of an answer in which the model says why it does not answer. It is not cached. */
export const REFUSAL = 'refusal';

/** The Responses API reported an error within a stream. `code` is the API's code, such as `server_error`. */
class StreamFailedError extends Error {
  override readonly name = 'StreamFailedError';
  readonly code: string | undefined;

  constructor(code: string | undefined) {
    super('the stream reported an error');
    this.code = code;
  }
}

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
 * Turns a refusal into text, and adds an empty `delta` to a choice without one: Azure's asynchronous content filter sends
 * such choices, and LangChain would skip them together with their `finish_reason`
 * (learn.microsoft.com/azure/ai-foundry/openai/concepts/content-streaming).
 * @throws StreamFailedError for the events `error` and `response.failed`, which LangChain ignores.
 */
export async function* normalizeStream(events: AsyncIterable<object>): AsyncGenerator<object, void, void> {
  let refused = false;
  for await (const event of events) {
    const { choices, type, code, response } = event as ResponsePart;
    const choice = choices?.[0];
    if (choice) {
      const delta = (choice.delta ??= {});
      if (delta.refusal) {
        refused = true;
        delta.content = delta.refusal;
      }
      if (refused && choice.finish_reason) choice.finish_reason = REFUSAL;
    }
    if (type === 'error') throw new StreamFailedError(code ?? undefined);
    if (type === 'response.failed') throw new StreamFailedError(response?.error?.code);
    yield event;
  }
}
