/** Reports finished questions to the telemetry, which is imported after the first question. */
import type { FinishedMcpRequest, FinishedQuestion } from './finished.ts';
import type { Telemetry, TelemetryParts } from './open-telemetry.ts';

/** Reports finished questions and requests. */
export interface Reporter {
  report(finished: FinishedQuestion): void;
  reportMcp(finished: FinishedMcpRequest): void;
  /** Flushes traces and metrics, for at most `timeoutMs` milliseconds. */
  stop(timeoutMs: number): Promise<void>;
}

/** Creates the reporter of this process; null when the settings name no receiver. */
export function createReporter(parts: TelemetryParts): Reporter | null {
  const { config, warn } = parts;
  const { telemetry: settings } = config;
  if (settings === null) return null;
  let loading: Promise<Telemetry | null> | undefined;

  const load = async (): Promise<Telemetry | null> => {
    try {
      const { startTelemetry } = await import('./open-telemetry.ts');
      return await startTelemetry(parts, settings);
    } catch (error) {
      // Only the name of the error: its message could quote the setting, which is a secret.
      warn(`Telemetry could not be started: check APPLICATIONINSIGHTS_CONNECTION_STRING (${nameOf(error)}).`);
      return null;
    }
  };
  const add = (report: (telemetry: Telemetry) => void): void => {
    // Imported only now, because importing it earlier would lengthen the cold start.
    loading ??= load();
    loading
      .then((telemetry) => telemetry && report(telemetry))
      .catch((error: unknown) => warn(`A question could not be added to the telemetry: ${nameOf(error)}`));
  };
  return {
    report: (finished) => add((telemetry) => telemetry.report(finished)),
    reportMcp: (finished) => add((telemetry) => telemetry.reportMcp(finished)),
    async stop(timeoutMs) {
      const telemetry = await loading;
      await telemetry?.stop(timeoutMs);
    },
  };
}

const nameOf = (error: unknown): string => (error instanceof Error ? error.name : typeof error);
