/** Reads the body of POST /v1/responses as a question: in a session, in a branch of one, or with the whole prompt. */
import { randomUUID } from 'node:crypto';
import type { Question } from '../ask/question.ts';
import type { Config } from '../config/config.ts';
import { sessionId } from '../contract/ask-fields.ts';
import { errors } from '../contract/errors.ts';
import { type ResponseFields, responseFields } from '../contract/openai-fields.ts';
import type { Sessions } from '../history/sessions.ts';
import { check, type Reading } from '../http/ask-request.ts';
import type { RawRequest } from '../http/raw-request.ts';
import type { Message } from '../model/completion.ts';
import { readBody, readCommon, readSessionId } from './chat-request.ts';
import { type Owner, withoutReferences } from './item-references.ts';
import { lastQuestion, toPrompt } from './messages.ts';
import { refuseOthers, toModelOverrides, toResponseFormat } from './model-overrides.ts';
import { readResponseId, toInteractionId, toResponseId } from './response-id.ts';

/** A question, and what its response repeats of the request. */
export interface ResponseQuestion extends Question {
  id: string;
  fields: ResponseFields;
  includesMetrics: boolean;
}

/** What reading a request needs. */
export interface ResponseServices {
  config: Config;
  sessions: Sessions;
}

/** Reads and validates a request. @throws AskError that says what is wrong, or the reason of `signal`. */
export async function readResponseQuestion(
  request: RawRequest,
  { config, sessions }: ResponseServices,
  { userId, signal }: Reading,
): Promise<ResponseQuestion> {
  const fields = await readFields(request, config, signal);
  const overrides = overridesOf(config, fields);
  const owner = { userId, sessions };
  const given = await withoutReferences(fields, owner);
  const named = sessionOf(request, given);
  const input = toInput(given);
  const said = input.filter(([role]) => role !== 'system');
  const isContinued = named !== undefined || given.previous_response_id != null;
  if (isContinued && said.length > 1)
    throw errors.invalidField('input', 'must have one message of the user when it continues a conversation');
  const asked = lastQuestion(input, 'input', config.maxQuestionChars);
  const isStored = fields.store !== false && said.length === 1;
  const common = readCommon(request, isStored ? named : undefined);
  const interactionId = toInteractionId(common.idempotencyKey);
  const known = named ?? (await resumed(given, owner));
  const session = known ?? randomUUID();
  return {
    ...asked,
    instructions: [fields.instructions, asked.instructions].filter(Boolean).join('\n\n'),
    ...(!isContinued && !isStored && { prompt: wholePrompt(config, fields, input) }),
    isStored,
    id: toResponseId(interactionId, isStored ? session : undefined),
    interactionId,
    sessionId: session,
    isNewSession: known === undefined,
    newConversation: false,
    overrides,
    promptCacheKey: fields.prompt_cache_key ?? undefined,
    ...common,
    userId,
    stream: fields.stream === true,
    fields,
  };
}

async function readFields(request: RawRequest, config: Config, signal: AbortSignal): Promise<ResponseFields> {
  const body = await readBody(request, config, signal);
  refuseOthers(body, FIELDS);
  const fields = check(responseFields, body);
  refuseOthers(fields.reasoning ?? {}, new Set(['effort']), 'reasoning.');
  refuseOthers(fields.text ?? {}, new Set(['format', 'verbosity']), 'text.');
  return fields;
}

const FIELDS: ReadonlySet<string> = new Set(Object.keys(responseFields.shape));

const toInput = ({ input }: ResponseFields): Message[] =>
  typeof input === 'string' ? [['human', input]] : toPrompt(input, 'input');

/** What the model gets of a caller who keeps the conversation: the same as in a session. */
function wholePrompt({ model }: Config, { instructions }: ResponseFields, input: Message[]): Message[] {
  return [['system', [model.systemPrompt, instructions].filter(Boolean).join('\n\n')], ...input];
}

/** Gives the session that a request names. */
function sessionOf(request: RawRequest, fields: ResponseFields): string | undefined {
  const { conversation, previous_response_id: previous } = fields;
  const id =
    conversation == null
      ? readSessionId(request, fields)
      : check(sessionId, typeof conversation === 'string' ? conversation : conversation.id, 'conversation');
  if (id !== undefined && previous != null)
    throw errors.invalidField('previous_response_id', 'must not be sent together with a conversation');
  return id;
}

/** Gives the session in which the conversation of an earlier response goes on; undefined when the request names none. */
async function resumed(
  { previous_response_id: previous }: ResponseFields,
  { userId, sessions }: Owner,
): Promise<string | undefined> {
  if (previous == null) return undefined;
  const { interactionId, ...stored } = readResponseId(previous);
  const found = await sessions.resume({ userId, ...stored }, interactionId).catch((error: unknown) => {
    throw errors.storageUnavailable(error);
  });
  if (found === null) throw errors.previousResponseNotFound();
  return found;
}

function overridesOf(config: Config, { model, text, reasoning, ...fields }: ResponseFields) {
  const format = text?.format;
  return toModelOverrides(config, model, [
    ['temperature', 'temperature', fields.temperature],
    ['topP', 'top_p', fields.top_p],
    ['maxOutputTokens', 'max_output_tokens', fields.max_output_tokens],
    ['reasoningEffort', 'reasoning.effort', reasoning?.effort],
    ['verbosity', 'text.verbosity', text?.verbosity],
    [
      'responseFormat',
      'text.format',
      toResponseFormat(format?.type === 'json_schema' ? { type: format.type, json_schema: format } : format),
    ],
  ]);
}
