/** The program of {@link file://./worker-process.ts}: the worker of an app, which its parent process tells of invocations. */
import { parseArgs } from 'node:util';
import { type Invocation, loadFunctionApp } from '../../dev/functions-host/app.ts';

const { values } = parseArgs({ options: { root: { type: 'string', default: '.' } } });
const app = await loadFunctionApp(values.root);
const ask = app.functions.find(({ trigger }) => trigger.route === 'ask');
if (!ask || !app.httpUri) throw new Error('The app has no function "ask" with HTTP streams.');
const stop = () => void app.terminate().then(() => process.exit(0));
process.on('disconnect', stop);
process.on('message', (message: 'stop' | Invocation) => {
  if (message === 'stop') stop();
  else void app.invoke(ask, message).finally(() => process.send?.(message.id));
});
process.send?.(app.httpUri);
