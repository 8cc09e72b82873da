/** How long a question may be. Only the server knows its limit, so the page learns it. */
import type { AskFailure } from './failure.ts';
import { send } from './request.ts';

/** The limit that a refusal states; undefined for other failures. */
export function limitIn({ code, message }: AskFailure): number | undefined {
  return code === 'question_too_long' ? numberIn(/longer than ([\d,]+) characters/.exec(message)) : undefined;
}

/** The limit of servers whose operator has not set another one, from the OpenAPI document; undefined when unknown. */
export async function usualLimit(): Promise<number | undefined> {
  try {
    const document = (await (await send('/openapi.json', {})).json()) as OpenApi;
    const { description } = document.components.schemas.Question.properties.question;
    return numberIn(/at most ([\d,]+) UTF-16 units/.exec(description));
  } catch {
    return undefined;
  }
}

interface OpenApi {
  components: { schemas: { Question: { properties: { question: { description: string } } } } };
}

function numberIn(found: RegExpExecArray | null): number | undefined {
  const value = Number(found?.[1]?.replaceAll(',', ''));
  return value > 0 ? value : undefined;
}
