/** Sends traces and metrics. Loaded only where the settings name somebody who receives them. */
import { createRateLimitedWarning } from '../runtime/rate-limited-warning.ts';
import { setTimeout as delay } from 'node:timers/promises';
import { type ExportResult, ExportResultCode } from '@opentelemetry/core';
import { OTLPMetricExporter } from '@opentelemetry/exporter-metrics-otlp-http';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { resourceFromAttributes } from '@opentelemetry/resources';
import {
  MeterProvider,
  PeriodicExportingMetricReader,
  type PushMetricExporter,
} from '@opentelemetry/sdk-metrics';
import {
  AlwaysOnSampler,
  BasicTracerProvider,
  BatchSpanProcessor,
  type SpanExporter,
} from '@opentelemetry/sdk-trace-base';
import type { Config, TelemetryConfig } from '../config/config.ts';
import type { ProcessState } from '../metrics/process-metrics.ts';
import type { FinishedQuestion } from './finished-question.ts';
import { GENERAL } from './gen-ai-conventions.ts';
import { createMeters } from './meters.ts';
import { writeSpans } from './spans.ts';

const SCOPE = 'azure-functions-ask';

/** What is told beside the questions, and to whom. */
export interface TelemetryParts {
  config: Config;
  instanceId: string;
  state: ProcessState;
  /** Is told of what does not arrive. */
  warn: (message: string) => void;
}

/** What watches the questions of this process. */
export interface Telemetry {
  /** Takes a question in. What is made of it is sent in the background. */
  report(finished: FinishedQuestion): void;
  /** Sends what was not sent yet; gives up after `timeoutMs`. */
  stop(timeoutMs: number): Promise<void>;
}

interface Exporters {
  traces: SpanExporter;
  metrics: PushMetricExporter;
}

/**
 * Starts sending to those whom the settings name.
 * @throws Error when a setting is one that an exporter refuses.
 */
export async function startTelemetry(
  { config, instanceId, state, warn }: TelemetryParts,
  settings: TelemetryConfig,
): Promise<Telemetry> {
  const exporters = await createExporters(settings, warn);
  const resource = resourceFromAttributes({
    [GENERAL.serviceName]: settings.serviceName,
    [GENERAL.serviceInstance]: instanceId,
  });
  const traces = new BasicTracerProvider({
    resource,
    // Each question, also one whose host records none of its own: what to leave out is the receiver's to decide.
    sampler: new AlwaysOnSampler(),
    spanProcessors: exporters.map(({ traces: exporter }) => new BatchSpanProcessor(exporter)),
  });
  const metrics = new MeterProvider({
    resource,
    readers: exporters.map(({ metrics: exporter }) => new PeriodicExportingMetricReader({ exporter })),
  });
  const tracer = traces.getTracer(SCOPE);
  const count = createMeters(metrics.getMeter(SCOPE), config, state);
  return {
    report(finished) {
      writeSpans(tracer, config, finished);
      count(finished);
    },
    async stop(timeoutMs) {
      const sent = Promise.allSettled([traces.shutdown(), metrics.shutdown()]).then(() => true);
      const isSent = await Promise.race([sent, delay(timeoutMs, false, { ref: false })]);
      if (!isSent) warn('The last traces and metrics could not be delivered before the stop and are lost.');
    },
  };
}

async function createExporters(
  { otlpEndpoint, azureMonitorConnectionString }: TelemetryConfig,
  warn: (message: string) => void,
): Promise<Exporters[]> {
  const exporters: Exporters[] = [];
  if (otlpEndpoint !== undefined) {
    exporters.push({
      traces: watched(new OTLPTraceExporter({ url: `${otlpEndpoint}/v1/traces` }), 'OTLP traces', warn),
      metrics: watched(new OTLPMetricExporter({ url: `${otlpEndpoint}/v1/metrics` }), 'OTLP metrics', warn),
    });
  }
  if (azureMonitorConnectionString !== undefined) {
    const { AzureMonitorMetricExporter, AzureMonitorTraceExporter } =
      await import('@azure/monitor-opentelemetry-exporter');
    // What cannot be sent is not kept in a file: the next instance would not find it.
    const options = { connectionString: azureMonitorConnectionString, disableOfflineStorage: true };
    exporters.push({
      traces: watched(new AzureMonitorTraceExporter(options), 'Azure Monitor traces', warn),
      metrics: watched(new AzureMonitorMetricExporter(options), 'Azure Monitor metrics', warn),
    });
  }
  return exporters;
}

/** What traces and metrics are exported by; the items are its own business. */
interface Exporter {
  export(items: never, done: (result: ExportResult) => void): void;
}

/** Gives `exporter` back, whose failures are told from now on: by name and code, since texts may hold keys. */
function watched<T extends Exporter>(exporter: T, name: string, warn: (message: string) => void): T {
  const exportItems = exporter.export.bind(exporter);
  const warnOfBatch = createRateLimitedWarning(warn);
  const onFailure = (error: unknown): void => {
    const { name: kind = 'Error', code = '' } = (error ?? {}) as { name?: string; code?: string };
    warnOfBatch((count) => `${name} were not delivered (${count} batches so far): ${kind} ${code}`);
  };
  const exportWatched: Exporter['export'] = (items, done) =>
    exportItems(items, (result) => {
      if (result.code !== ExportResultCode.SUCCESS) onFailure(result.error);
      done(result);
    });
  return Object.assign(exporter, { export: exportWatched });
}
