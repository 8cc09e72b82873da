/** Sends the runs of LangChain's model to LangSmith. Imported only when LANGSMITH_TRACING is on. */
import { LangChainTracer } from '@langchain/core/tracers/tracer_langchain';
import { setTimeout as delay } from 'node:timers/promises';
import { Client } from 'langsmith/client';
import type { LangSmithConfig } from '../config/config.ts';
import { createRateLimitedWarning } from '../common/log.ts';

/** The tracing of LangChain in this process. */
export interface LangSmith {
  /** Gets each call of the model. */
  tracer: LangChainTracer;
  /** Sends what was not sent yet, for at most `timeoutMs` milliseconds. */
  stop(timeoutMs: number): Promise<void>;
}

/** Starts tracing. `warn` is called, at most once a minute, when LangSmith cannot be reached or refuses. */
export function startLangSmith(config: LangSmithConfig, warn: (message: string) => void): LangSmith {
  const { endpoint, apiKey, project, showsInputs, showsOutputs } = config;
  const client = new Client({
    apiUrl: endpoint,
    apiKey,
    hideInputs: !showsInputs,
    hideOutputs: !showsOutputs,
    // Messages of errors may quote what was sent.
    ...(!(showsInputs && showsOutputs) && { anonymizer: withoutMessage }),
    hideMetadata: false,
    fetchImplementation: createReportingFetch(warn),
  });
  return {
    tracer: new LangChainTracer({ client, projectName: project }),
    async stop(timeoutMs) {
      const sent = client.awaitPendingTraceBatches().then(() => true);
      const isSent = await Promise.race([sent, delay(timeoutMs, false, { ref: false })]);
      if (!isSent) warn('The last runs could not be delivered to LangSmith before the stop and are lost.');
    },
  };
}

const withoutMessage = () => ({ error: 'The call failed. Its message is hidden as inputs and outputs are.' });

/** The client logs the texts of LangSmith's errors, so it does not get them. */
function createReportingFetch(warn: (message: string) => void): typeof fetch {
  const warnOfBatch = createRateLimitedWarning(warn);
  const report = (reason: string) =>
    warnOfBatch((count) => `LangSmith did not take runs (${count} times so far): ${reason}`);
  return async (...request) => {
    try {
      const response = await fetch(...request);
      if (response.ok) return response;
      report(String(response.status));
      return new Response(null, { status: response.status });
    } catch (error) {
      const { name = 'Error', cause } = (error ?? {}) as { name?: string; cause?: { code?: string } };
      report(`${name} ${cause?.code ?? ''}`);
      throw new Error('LangSmith cannot be reached', { cause: error });
    }
  };
}
