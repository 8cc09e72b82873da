/** A deployment or a model that is gone, and another one that takes over. */
import { describe, expect, it } from 'vitest';
import { type Fault } from '../../dev/azure-openai-emulator/emulator.ts';
import { ask, askForError, newQuestion } from '../support/app.ts';
import { sampled } from '../support/effort.ts';
import { useModel, useSharedApp } from '../support/fixture.ts';

const fallback = useModel({ apiKey: 'fallback-key', deployments: ['gpt-5'] });
const app = useSharedApp();

const gone: [Fault, string][] = [
  [{ kind: 'no_deployment' }, 'the deployment does not exist (404 DeploymentNotFound)'],
  [{ kind: 'retired_model' }, 'or is retired (400 OperationNotSupported)'],
  [{ kind: 'status', status: 400, code: 'ServiceModelDeprecated' }, 'the model is retired (400'],
  [{ kind: 'status', status: 404, code: 'model_not_found' }, 'the model does not exist, or is retired'],
  [{ kind: 'status', status: 404, message: 'Resource not found' }, 'or the model is retired (404'],
  [{ kind: 'status', status: 410 }, 'the model is retired (410'],
];

it.each(sampled(gone, 2))(
  '(%o) the operator is told what happened and what to check',
  async (fault, reason) => {
    await app.start();
    app.emulator.failNext(fault);
    const failed = await askForError(app, { question: newQuestion() });
    expect([failed.status, failed.body.error.code]).toEqual([502, 'model_misconfigured']);
    expect(app.output()).toContain(reason);
    expect(app.output()).toContain('AZURE_OPENAI_CHAT_DEPLOYMENT_NAME');
    expect(app.emulator.requests).toHaveLength(1);
  },
);

async function startBoth(): Promise<void> {
  await app.start({
    fresh: true,
    env: {
      AZURE_OPENAI_FALLBACK_ENDPOINTS: `gpt-5=${fallback.url}`,
      AZURE_OPENAI_FALLBACK_API_KEYS: 'fallback-key',
    },
  });
}

describe('with a fallback endpoint that has another deployment', () => {
  it('it takes over when the first is gone, and the answer says which model it is from', async () => {
    await startBoth();
    app.emulator.fault = { kind: 'retired_model' };
    const question = newQuestion();
    const first = await ask(app, { question });
    expect(first.performance_metrics.connection).toMatchObject({ endpoint: 1, attempts: 2 });
    expect(first.performance_metrics.model).toMatch(/^gpt-/);
    // The first is not asked in vain each time.
    const second = await ask(app, { question: newQuestion() });
    expect(second.performance_metrics.connection).toMatchObject({ endpoint: 1, attempts: 1 });
    expect(fallback.requests.map(({ deployment }) => deployment)).toEqual(['gpt-5', 'gpt-5']);
    const cached = await ask(app, { question });
    expect(cached.performance_metrics.cache.result).toBe('hit');
    expect(cached.performance_metrics.model).toBe(first.performance_metrics.model);
  });

  it('its answers are not given out as those of the first', { tags: ['long'] }, async () => {
    await startBoth();
    const question = newQuestion();
    app.emulator.failNext({ kind: 'status', status: 500 });
    expect((await ask(app, { question })).performance_metrics.connection?.endpoint).toBe(1);
    const again = await ask(app, { question });
    expect(again.performance_metrics).toMatchObject({ from_cache: false, connection: { endpoint: 0 } });
  });
});
