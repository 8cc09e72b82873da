/** The unit of `npm run bench`: the constant function with one request to the model by undici alone, over HTTP/2. */
import { askFunction } from './ask-function.ts';
import { askModel } from './raw-model.ts';

askFunction(async () => {
  const response = await askModel({
    messages: [{ role: 'user', content: 'What is the capital of France?' }],
  });
  await response.body.text();
  return { jsonBody: { answer: 'The capital of France is Paris.' } };
});
