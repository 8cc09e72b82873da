/** OpenAPI: example responses. */
import type { Answer, ChatMessage, Session, SessionList } from '../responses.ts';

const chat: ChatMessage[] = [
  { role: 'human', content: 'What is the capital of France?' },
  { role: 'ai', content: 'The capital of France is Paris.' },
];

export const answerExample: Answer = {
  answer: 'The capital of France is Paris.',
  chat_history: chat,
  session_id: 'tour',
  status: 'success',
  performance_metrics: {
    api_call_time: 0.412,
    total_time: 0.431,
    from_cache: false,
    connection_reused: true,
    connection_stats: {
      avg_response_time: 0.398,
      connection_reuse_count: 4,
      reuse_percentage: 80,
      total_requests: 5,
    },
    cold_start: false,
    instance_id: '5f0b8c4e-6f0d-4c1b-9a55-0d2c3a6f1e77',
    invocation: '9f2c1f0e-3b7a-4f57-8a53-2f4f4d1f2a10',
    uptime: 61.2,
    cache: { result: 'miss', tier: null, hits: 1, misses: 5, hit_percentage: 16.67 },
    connection: {
      protocol: 'h2',
      id: 1,
      requests_on_connection: 5,
      connect_time: 0.045,
      tls_resumed: false,
      time_to_first_byte: 0.402,
      attempts: 1,
      open: 1,
      endpoint: 0,
    },
    timings: {
      history_read: 0.006,
      cache_lookup: 0.001,
      model: 0.412,
      history_write: 0.008,
      time_to_first_token: 0.421,
    },
    model: 'gpt-4o-2024-11-20',
    tokens: { prompt: 31, completion: 8, cached: 0, cache_write: 0, reasoning: 0, saved: 0 },
    history_available: true,
    history_saved: true,
  },
};

export const sessionExample: Session = {
  session_id: 'tour',
  created_at: '2026-11-24T09:00:00.000Z',
  updated_at: '2026-11-24T09:00:00.000Z',
  interaction_count: 1,
  chat_history: chat,
  next: null,
};

export const sessionListExample: SessionList = {
  sessions: [
    {
      session_id: 'tour',
      title: 'What is the capital of France?',
      created_at: '2026-11-24T09:00:00.000Z',
      updated_at: '2026-11-24T09:00:00.000Z',
    },
  ],
  next: null,
};
