/** Reads the traces and metrics that a receiver got over OTLP: opentelemetry.io/docs/specs/otlp */
import { expect } from 'vitest';
import type { Receiver } from '../../dev/stack/telemetry-receiver.ts';

interface Attribute {
  key: string;
  value: Record<string, unknown>;
}
interface OtlpSpan {
  name: string;
  kind: number;
  traceId: string;
  spanId: string;
  parentSpanId?: string;
  attributes: Attribute[];
  status: { code?: number };
  links?: { traceId: string; spanId: string }[];
}
interface Point {
  attributes: Attribute[];
  explicitBounds?: number[];
  count?: number;
  asDouble?: number;
}
interface OtlpMetric {
  name: string;
  unit: string;
  histogram?: { dataPoints: Point[] };
  sum?: { dataPoints: Point[] };
  gauge?: { dataPoints: Point[] };
}
interface OtlpBody {
  resourceSpans?: { scopeSpans: { spans: OtlpSpan[] }[] }[];
  resourceMetrics?: { scopeMetrics: { metrics: OtlpMetric[] }[] }[];
}

const bodies = (from: Receiver): OtlpBody[] => from.received.map(({ body }) => body as OtlpBody);
/** All spans that were received. */
export const spansOf = (from: Receiver): OtlpSpan[] =>
  bodies(from).flatMap(({ resourceSpans = [] }) =>
    resourceSpans.flatMap(({ scopeSpans }) => scopeSpans.flatMap(({ spans }) => spans)),
  );
/** All metrics that were received, each as often as it was sent. */
export const metricsOf = (from: Receiver): OtlpMetric[] =>
  bodies(from).flatMap(({ resourceMetrics = [] }) =>
    resourceMetrics.flatMap(({ scopeMetrics }) => scopeMetrics.flatMap(({ metrics }) => metrics)),
  );
/** The values of attributes by name. */
export const valuesOf = (attributes: Attribute[]): Record<string, unknown> =>
  Object.fromEntries(attributes.map(({ key, value }) => [key, Object.values(value)[0]]));
/** The span with this name. The test fails without one. */
export const named = (spans: OtlpSpan[], name: string): OtlpSpan =>
  spans.find((span) => span.name === name) ?? expect.unreachable(`no span ${name}`);
/** The points of the metric with this name, as sent last. The test fails without one. */
export const pointsOf = (metrics: OtlpMetric[], name: string): Point[] => {
  const metric = metrics.findLast((each) => each.name === name) ?? expect.unreachable(`no metric ${name}`);
  return (metric.histogram ?? metric.sum ?? metric.gauge)?.dataPoints ?? [];
};
