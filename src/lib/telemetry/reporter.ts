/** Tells finished questions to the telemetry, if the settings want any. */
import type { FinishedQuestion } from './finished-question.ts';
import type { Telemetry, TelemetryParts } from './open-telemetry.ts';

/** Takes finished questions. */
export interface Reporter {
  report(finished: FinishedQuestion): void;
  /** Sends what was not sent yet, in at most `timeoutMs`. */
  stop(timeoutMs: number): Promise<void>;
}

/** Makes the reporter of this process; null when nobody wants to know. */
export function createReporter(parts: TelemetryParts): Reporter | null {
  const { config, warn } = parts;
  const { telemetry: settings } = config;
  if (settings === null) return null;
  let loading: Promise<Telemetry | null> | undefined;

  async function load(wanted: NonNullable<typeof settings>): Promise<Telemetry | null> {
    try {
      const { startTelemetry } = await import('./open-telemetry.ts');
      return await startTelemetry(parts, wanted);
    } catch (error) {
      // Its message could quote the setting.
      warn(`Telemetry could not be started: check APPLICATIONINSIGHTS_CONNECTION_STRING (${nameOf(error)}).`);
      return null;
    }
  }
  return {
    report(finished) {
      // After the first answer: loading it before would make a cold start longer.
      loading ??= load(settings);
      loading
        .then((telemetry) => telemetry?.report(finished))
        .catch((error: unknown) => warn(`A question is missing in the telemetry: ${nameOf(error)}`));
    },
    async stop(timeoutMs) {
      const telemetry = await loading;
      await telemetry?.stop(timeoutMs);
    },
  };
}

const nameOf = (error: unknown): string => (error instanceof Error ? error.name : typeof error);
