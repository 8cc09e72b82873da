/** The faults that the emulator can produce in place of an ordinary answer. */

/** What one chat request gets instead of an ordinary answer. */
export type Fault = ReplyFault | ConnectionFault;

/** The fault of every request, or a function that decides for each request. */
export type LastingFault = Fault | (() => Fault | undefined);

/** A complete HTTP response other than the ordinary answer. */
export type ReplyFault =
  /** An error with this status. The `retry-after` headers are sent as given (seconds or a date, milliseconds). */
  | {
      kind: 'status';
      status: number;
      retryAfter?: string;
      retryAfterMs?: string;
      code?: string;
      message?: string;
      /** Further headers. */
      headers?: Record<string, string>;
    }
  /** The 400 of Azure's content filter. */
  | { kind: 'content_filter' }
  /** The asynchronous content filter withdraws the answer. A streamed answer is withdrawn after half of its text. */
  | { kind: 'async_content_filter' }
  /** The 400 for a conversation that is too long, in the wording of GPT-4o or of newer models. */
  | { kind: 'context_length'; wording?: 'older' | 'newer' }
  /** The 400 for a deployment whose model is retired. */
  | { kind: 'retired_model' }
  /** The 404 for a deployment that does not exist. */
  | { kind: 'no_deployment' }
  /** A 200 whose body is not JSON. */
  | { kind: 'garbage' }
  /** A 200 without a body. */
  | { kind: 'empty' }
  /** A 200 with this text; `finishReason` is `stop` by default. Reasoning tokens count as completion tokens. */
  | {
      kind: 'answer';
      content: string | null;
      finishReason?: string;
      reasoningTokens?: number;
      /** What the model says in place of an answer. */
      refusal?: string;
    }
  /** A stream that reports an error; of the Responses API by the event `error`, or by `response.failed`. */
  | { kind: 'stream_error'; event?: 'error' | 'failed' };

/** No response, or an incomplete one. Over HTTP/1.1, resets and refusals close the connection. */
export type ConnectionFault =
  /** No response until the client gives up. */
  | { kind: 'hang' }
  /** Half a response, then nothing until the client gives up. */
  | { kind: 'stall' }
  /** Half a response, then the stream is reset. */
  | { kind: 'break' }
  /** The stream is reset before any response. */
  | { kind: 'reset' }
  /** The stream is refused (REFUSED_STREAM): the server did not process the request. */
  | { kind: 'refuse' }
  /**
   * The connection accepts no more streams (GOAWAY), this request's included. The emulator then closes it, as servers
   * do, unless `keepsOpen` is set.
   */
  | { kind: 'goaway'; keepsOpen?: boolean }
  /** The connection breaks, with all requests in flight on it. */
  | { kind: 'lose_connection' };
