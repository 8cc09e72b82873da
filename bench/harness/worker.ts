/** The program of {@link file://./worker-process.ts}: the worker of an app, which its parent process tells of invocations. */
import { parseArgs } from 'node:util';
import { type Invocation, loadFunctionApp } from '../../dev/functions-host/app.ts';

const { values } = parseArgs({
  options: { root: { type: 'string', default: '.' }, route: { type: 'string', default: 'ask' } },
});
const app = await loadFunctionApp(values.root);
const { route } = values;
const asked = app.functions.find(({ trigger }) => trigger.route === route);
if (!asked || !app.httpUri) throw new Error(`The app has no function at "${route}" with HTTP streams.`);
const stop = () => void app.terminate().then(() => process.exit(0));
process.on('disconnect', stop);
process.on('message', (message: 'stop' | Invocation) => {
  if (message === 'stop') stop();
  else void app.invoke(asked, message).finally(() => process.send?.(message.id));
});
process.send?.(app.httpUri);
