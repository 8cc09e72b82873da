/** How long a question may be. Only the server knows its limit, so the page learns it. */
import type { ErrorBody, ErrorCode } from '../../src/lib/contract/responses.ts';
import type { AskFailure } from './failure.ts';
import { send } from './request.ts';

const TOO_LONG: ErrorCode = 'question_too_long';

/** The limit of the server that refused a question as too long; undefined for other failures. */
export const limitIn = ({ code, limit }: AskFailure): number | undefined =>
  code === TOO_LONG ? limit : undefined;

/**
 * The limit of servers whose operator has not set another one, in UTF-16 units: that of the OpenAPI document's example of
 * this refusal. Undefined when unknown.
 */
export async function usualLimit(): Promise<number | undefined> {
  try {
    const document = (await (await send('/openapi.json', {})).json()) as OpenApi;
    const { examples } = document.paths['/ask'].post.responses[413].content['application/json'];
    return examples[TOO_LONG]?.value.error.limit;
  } catch {
    return undefined;
  }
}

/** What is read of the document. */
interface OpenApi {
  paths: {
    '/ask': {
      post: {
        responses: {
          413: {
            content: { 'application/json': { examples: Partial<Record<ErrorCode, { value: ErrorBody }>> } };
          };
        };
      };
    };
  };
}
