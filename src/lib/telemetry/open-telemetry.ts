/** Exports traces and metrics. Imported only when the settings name a receiver. */
import { createRateLimitedWarning } from '../common/log.ts';
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
import type { ProcessState } from './process-counters.ts';
import type { FinishedMcpRequest, FinishedQuestion } from './finished.ts';
import { GENERAL } from './gen-ai-conventions.ts';
import { writeMcpSpans, writeSpans } from './spans.ts';
import { createMcpMeter, createMeters } from './meters.ts';

const SCOPE = 'azure-functions-ask';

/** What telemetry needs. */
export interface TelemetryParts {
  config: Config;
  instanceId: string;
  state: ProcessState;
  /** Called when traces or metrics cannot be delivered. */
  warn: (message: string) => void;
}

/** The traces and metrics of this process. */
export interface Telemetry {
  /** Records a finished question. Its spans and metrics are sent in the background. */
  report(finished: FinishedQuestion): void;
  /** Records a finished request of the Model Context Protocol, with the question that it asked. */
  reportMcp(finished: FinishedMcpRequest): void;
  /** Flushes traces and metrics, for at most `timeoutMs` milliseconds. */
  stop(timeoutMs: number): Promise<void>;
}

interface Exporters {
  traces: SpanExporter;
  metrics: PushMetricExporter;
}

/**
 * Starts exporting to the configured receivers.
 * @throws Error when an exporter rejects a setting.
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
    // Every question, even if the host did not sample its trace: sampling is left to the receiver.
    sampler: new AlwaysOnSampler(),
    spanProcessors: exporters.map(({ traces: exporter }) => new BatchSpanProcessor(exporter)),
  });
  const metrics = new MeterProvider({
    resource,
    readers: exporters.map(({ metrics: exporter }) => new PeriodicExportingMetricReader({ exporter })),
  });
  const tracer = traces.getTracer(SCOPE);
  const meter = metrics.getMeter(SCOPE);
  const count = createMeters(meter, config, state);
  const countMcp = createMcpMeter(meter);
  return {
    report(finished) {
      writeSpans(tracer, config, finished);
      count(finished);
    },
    reportMcp(finished) {
      writeMcpSpans(tracer, config, finished);
      countMcp(finished);
      if (finished.question) count(finished.question);
    },
    async stop(timeoutMs) {
      const sent = Promise.allSettled([traces.shutdown(), metrics.shutdown()]).then(() => true);
      const isSent = await Promise.race([sent, delay(timeoutMs, false, { ref: false })]);
      if (!isSent) warn('The last traces and metrics could not be delivered before the stop and are lost.');
    },
  };
}

async function createExporters(
  { otlpEndpoint, azureMonitor }: TelemetryConfig,
  warn: (message: string) => void,
): Promise<Exporters[]> {
  const exporters: Exporters[] = [];
  if (otlpEndpoint !== undefined) {
    exporters.push({
      traces: watched(new OTLPTraceExporter({ url: `${otlpEndpoint}/v1/traces` }), 'OTLP traces', warn),
      metrics: watched(new OTLPMetricExporter({ url: `${otlpEndpoint}/v1/metrics` }), 'OTLP metrics', warn),
    });
  }
  if (azureMonitor !== undefined) {
    const { createAzureMonitorExporters } = await import('./azure-monitor.ts');
    const azure = createAzureMonitorExporters(azureMonitor, warn);
    exporters.push({
      traces: watched(azure.traces, 'Azure Monitor traces', warn),
      metrics: watched(azure.metrics, 'Azure Monitor metrics', warn),
    });
  }
  return exporters;
}

/** The common interface of span and metric exporters. */
interface Exporter {
  export(items: never, done: (result: ExportResult) => void): void;
}

/** Makes `exporter` log its failures: only the name and code of an error, because messages may contain keys. */
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
