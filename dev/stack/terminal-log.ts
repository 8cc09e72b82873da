/** Makes the output of the app readable on a terminal: one short coloured line for each question. */
import { stripVTControlCharacters, styleText } from 'node:util';

/** The fields of the log line of a question that are shown. Times in seconds. */
interface QuestionLine {
  event: 'question';
  outcome: string;
  streamed?: boolean;
  cache: string;
  tier: string | null;
  connection_reused: boolean;
  attempts: number;
  cold_start: boolean;
  total_time: number;
  tokens: { prompt: number; completion: number };
  history_available: boolean;
  history_saved: boolean;
}

/**
 * Returns a function that receives the output of the functions host and prints readable lines, when stdout is a terminal.
 * Otherwise undefined, and the output stays as the app writes it.
 */
export function readableOutput(): ((text: string) => void) | undefined {
  if (!process.stdout.isTTY) return undefined;
  let rest = '';
  return (text) => {
    const lines = (rest + text).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) console.log(toReadable(line));
  };
}

/** Returns the line as a terminal shows it. Lines that are not of a question keep their text. */
export function toReadable(line: string): string {
  const json = line.indexOf('{"event":"question"');
  if (json < 0) return / (error|critical) /.test(line) ? styleText('red', line) : line;
  try {
    return describe(JSON.parse(line.slice(json)) as QuestionLine, timeOf(line));
  } catch {
    return line;
  }
}

function describe(question: QuestionLine, time: string): string {
  const { outcome, total_time: seconds, tokens } = question;
  const isAnswered = outcome === 'answered';
  const colour = isAnswered ? 'green' : outcome === 'left' ? 'yellow' : 'red';
  const details = [
    sourceOf(question),
    question.streamed && 'streamed',
    question.attempts > 1 && `${question.attempts} attempts`,
    question.cold_start && 'cold start',
    tokens.prompt > 0 && `${tokens.prompt} + ${tokens.completion} tokens`,
    isAnswered && !question.history_available && 'no history',
    isAnswered && !question.history_saved && 'not saved',
  ].filter((detail) => typeof detail === 'string');
  const duration = `${Math.round(1000 * seconds)} ms`.padStart(8);
  return `${styleText('dim', time)} ${styleText(colour, outcome)} ${duration}  ${details.join(', ')}`;
}

function sourceOf({ cache, tier, connection_reused: reused, attempts }: QuestionLine): string | false {
  if (cache === 'stale') return `expired, cached (${tier})`;
  if (tier !== null) return `cached (${tier})`;
  if (cache === 'coalesced') return 'shared a model call';
  return attempts > 0 && `model, ${reused ? 'reused' : 'new'} connection`;
}

/** The time at the start of a line of the host, or the present time: lines after a stream have none. */
const timeOf = (line: string): string =>
  /^\[(\d\d:\d\d:\d\d)/.exec(stripVTControlCharacters(line))?.[1] ?? new Date().toISOString().slice(11, 19);
