/** What the content filter reports: `contentFilterPromptResults` and `contentFilterChoiceResults` of 2024-10-21. */

const SAFE = { filtered: false, severity: 'safe' };

/** The results for a harmless text. */
export const HARMLESS = { hate: SAFE, self_harm: SAFE, sexual: SAFE, violence: SAFE };

/** The result for a prompt. */
export function promptFilterResult(violent: boolean) {
  const jailbreak = { filtered: false, detected: false };
  const violence = violent ? { filtered: true, severity: 'high' } : SAFE;
  return { prompt_index: 0, content_filter_results: { ...HARMLESS, violence, jailbreak } };
}

/**
 * The chunk with which the asynchronous filter withdraws a stream. Its choice has no `delta`:
 * learn.microsoft.com/azure/ai-foundry/openai/concepts/content-streaming, and
 * github.com/openai/openai-python/issues/1677.
 */
export const WITHDRAWN = {
  id: '',
  object: '',
  created: 0,
  model: '',
  choices: [
    {
      index: 0,
      finish_reason: 'content_filter',
      content_filter_results: { protected_material_text: { filtered: true, detected: true } },
      content_filter_offsets: { check_offset: 44, start_offset: 44, end_offset: 65 },
    },
  ],
  usage: null,
};
