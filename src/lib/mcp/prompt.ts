/** The prompt `explore_topic`, which shows an agent how to use the tools. */
import { exploreTopicArguments } from '../contract/tools.ts';
import type { ObservedServer } from './observed-server.ts';
import { checked } from './tool-result.ts';

const prompt = {
  title: 'Explore a topic',
  description: 'Asks about a topic in one conversation: an overview first, then follow-up questions.',
  argsSchema: checked(exploreTopicArguments),
};

const textFor = (topic: string): string => `Explore this topic with the tool "ask": ${topic}

1. Ask for a short overview. Do not send session_id, and keep the session_id of the result.
2. Ask two or three follow-up questions on what matters most or is unclear, one at a time, each with that session_id. The service knows the conversation, so a follow-up only names what is new.
3. Sum up what you have learned. Say which answers were cached ("cached: true" beside an answer): they were generated earlier.

If an answer has an error with "retry after", wait that long and ask again once. To start over, leave out session_id. Do not call "forget_session" unless the user asks for it.`;

/** Registers the prompt. */
export function registerPrompt(server: ObservedServer): void {
  server.registerPrompt('explore_topic', prompt, ({ topic }) => ({
    messages: [{ role: 'user', content: { type: 'text', text: textFor(topic) } }],
  }));
}
