/**
 * What every provider of models accepts as the schema of a tool. An agent sends the schemas of all its tools with each
 * request, so that one schema that its provider refuses ends the whole conversation. The rules, and where they are from:
 *
 * - OpenAI: a subset of JSON Schema (developers.openai.com/api/docs/guides/structured-outputs#supported-schemas). "regex
 *   lookaround is not supported" ends the request, strict or not: cline/cline#14013.
 * - Gemini: the fields of its `Schema` only (ai.google.dev/api/caching#Schema). `type` is one value: "Proto field is not
 *   repeating, cannot start list" (n8n-io/n8n#15553); no `const`; `enum` of strings; an array has `items`
 *   (google/adk-python#3083).
 * - Anthropic, with strict tools: no limits of numbers and lengths, no lookaround
 *   (platform.claude.com/docs/en/build-with-claude/structured-outputs#json-schema-limitations).
 * - llama.cpp, and so Ollama and LM Studio: a schema becomes a grammar. "Pattern must start with '^' and end with '$'"
 *   (containers/kubernetes-mcp-server#758, ggml-org/llama.cpp#26930), and "\S" or a lookahead cannot be in it.
 */

/** The keywords that all of them accept. */
const KEYWORDS = new Set(['type', 'description', 'properties', 'required', 'items', 'enum']);
const TYPES = new Set(['string', 'boolean', 'integer', 'number', 'array', 'object']);
/** OpenAI for names of functions, Anthropic for those of properties. */
const NAME = /^[\w-]{1,64}$/;

type Schema = Record<string, unknown>;

/** A tool as it is listed. */
interface ListedTool {
  name: string;
  inputSchema: Schema;
  outputSchema?: Schema;
}

/** Gives what breaks the rules in the schemas of a tool, as texts. */
export function refusedIn({ name, inputSchema, outputSchema }: ListedTool): string[] {
  const root = inputSchema['type'] === 'object' ? [] : [`${name}: the arguments are no object`];
  return [
    ...(NAME.test(name) ? root : [...root, `${name}: the name`]),
    ...problemsOf(inputSchema, `${name} arguments`),
    ...problemsOf(outputSchema ?? { type: 'object' }, `${name} result`),
  ];
}

function problemsOf(schema: Schema, path: string): string[] {
  const { type, items, properties = {}, enum: values } = schema;
  const problems = Object.keys(schema)
    .filter((keyword) => !KEYWORDS.has(keyword))
    .map((keyword) => `${path}: ${keyword}`);
  if (!TYPES.has(String(type)) || Array.isArray(type))
    problems.push(`${path}: the type ${JSON.stringify(type)}`);
  if ((type === 'array') !== (items !== undefined)) problems.push(`${path}: items`);
  if (Array.isArray(values) && !values.every((value) => typeof value === 'string'))
    problems.push(`${path}: enum`);
  if (items !== undefined) problems.push(...problemsOf(items as Schema, `${path}[]`));
  for (const [name, property] of Object.entries(properties as Record<string, Schema>)) {
    if (!NAME.test(name)) problems.push(`${path}: the name ${name}`);
    problems.push(...problemsOf(property, `${path}.${name}`));
  }
  return problems;
}
