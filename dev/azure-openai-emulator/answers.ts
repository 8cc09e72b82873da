/** The answers of the emulated model: a few known questions, also as follow-ups in a conversation. */

/** One message of a conversation, its text parts joined. */
export interface Message {
  role: string;
  content: string;
}

const QUOTE_CHARS = 80;

const CAPITALS: Record<string, string> = {
  Australia: 'Canberra',
  Brazil: 'Brasília',
  Canada: 'Ottawa',
  Egypt: 'Cairo',
  France: 'Paris',
  Germany: 'Berlin',
  India: 'New Delhi',
  Italy: 'Rome',
  Japan: 'Tokyo',
  Kenya: 'Nairobi',
  Portugal: 'Lisbon',
  Spain: 'Madrid',
};

/** `answer` returns null when the rule does not apply after all. `word` is the text of the pattern's first group. */
type Rule = [pattern: RegExp, answer: (word: string, earlier: string[]) => string | null];

const CAPITAL = /\bcapital (?:city )?of (\p{L}+)/iu;
const NAME = /\bmy name is (\p{L}[\p{L}'-]*)/iu;

// The first rule that matches and returns an answer is used.
const RULES: Rule[] = [
  [CAPITAL, capitalOf],
  [/^(?:and|what about|how about) (\p{L}+) ?\??$/iu, followUp],
  [/\bwhat(?:'s|’s| is) my name\b/iu, (_, earlier) => nameIn(earlier)],
  [NAME, (name) => `Nice to meet you, ${name}.`],
  [/\bwhat (?:is|was) my (?:last|previous) question\b/iu, (_, earlier) => lastQuestion(earlier)],
  [/^(?:hi|hello|hey)(?: there)?[ !.]*$/iu, () => 'Hello! How can I help you today?'],
];

/** Answers the last user message, with the earlier user messages as context. */
export function answerTo(messages: Message[]): string {
  const earlier = messages.filter(({ role }) => role === 'user').map(({ content }) => content.trim());
  const question = earlier.pop() ?? '';
  for (const [pattern, answer] of RULES) {
    const match = pattern.exec(question);
    const text = match && answer(match[1] ?? '', earlier);
    if (text) return text;
  }
  return `This is an emulated answer to: "${shorten(question)}". Set AZURE_OPENAI_ENDPOINT to ask a real model.`;
}

function capitalOf(word: string): string | null {
  const country = Object.keys(CAPITALS).find((name) => name.toLowerCase() === word.toLowerCase());
  return country ? `The capital of ${country} is ${CAPITALS[country]}.` : null;
}

function followUp(word: string, earlier: string[]): string | null {
  if (earlier.some((text) => CAPITAL.test(text))) return capitalOf(word);
  return `What would you like to know about ${word}?`;
}

function nameIn(earlier: string[]): string {
  const name = earlier.map((text) => NAME.exec(text)?.[1]).findLast(Boolean);
  return name ? `Your name is ${name}.` : 'You have not told me your name.';
}

function lastQuestion(earlier: string[]): string {
  const last = earlier.at(-1);
  return last === undefined ? 'This is your first question.' : `Your last question was: "${shorten(last)}"`;
}

function shorten(text: string): string {
  // Counts code points, so that no surrogate pair is split.
  const characters = Array.from(text);
  return characters.length > QUOTE_CHARS ? `${characters.slice(0, QUOTE_CHARS).join('')}…` : text;
}
