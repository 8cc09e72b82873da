/** OpenAPI: the operations of the chat page and its files. */
import { errors } from '../errors.ts';
import { commonErrors, errorResponses, type Json, withHeaders } from './components.ts';

const fileHeaders = withHeaders('ETag', 'Vary', 'Content-Encoding', 'Server-Timing');

/** The operations GET and HEAD of a file. */
function fileOperations(name: string, type: string, summary: string, notFound: Json): Json {
  const others = { 304: { description: "The caller's copy is current.", ...fileHeaders }, ...notFound };
  const shared = { tags: ['questions'], security: [] };
  return {
    get: {
      operationId: `get${name}`,
      summary,
      ...shared,
      responses: {
        200: {
          description: 'The file.',
          ...fileHeaders,
          content: { [type]: { schema: { type: 'string' } } },
        },
        ...others,
      },
    },
    head: {
      operationId: `head${name}`,
      summary: `${summary}: the headers`,
      ...shared,
      responses: { 200: { description: 'The file exists.', ...fileHeaders }, ...others },
    },
  };
}

const pageErrors = [...commonErrors, errors.notAcceptable()];

const nameParameter = {
  name: 'name',
  in: 'path',
  required: true,
  description: 'The name of the file. It contains a hash of the content.',
  schema: { type: 'string' },
};

/** The operations by path. */
export const pagePaths = {
  '/': fileOperations('Page', 'text/html', 'The chat page', errorResponses('GET, HEAD', pageErrors)),
  '/assets/{name}': {
    parameters: [nameParameter],
    ...fileOperations(
      'Asset',
      'text/javascript',
      'A part of the chat page that is loaded late',
      errorResponses('GET, HEAD', [...pageErrors, errors.assetNotFound()]),
    ),
  },
};
