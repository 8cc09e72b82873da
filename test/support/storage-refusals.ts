/** The error responses of Azure Table Storage. */
import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';

/** An error with which Table Storage refuses a request. */
export interface StorageRefusal {
  status: number;
  code: string;
}

/** The kind of a refused request, and its status, which is set when the refusal is sent. */
interface RefusedRequest {
  kind: string;
  status: number | null;
}

const THROTTLED = JSON.stringify({
  'odata.error': {
    code: 'ServerBusy',
    message: { lang: 'en-US', value: 'The server is busy.\nRequestId:0\nTime:2026-01-01T00:00:00.0000000Z' },
  },
});

/**
 * The wording of Azure, from learn.microsoft.com/rest/api/storageservices/table-service-error-codes and the answers in
 * github.com/Azure/azure-sdk-for-net/issues/23918 and github.com/microsoft/AzureStorageExplorer/issues/5201.
 */
const MESSAGES: Record<string, string> = {
  AuthenticationFailed:
    'Server failed to authenticate the request. Make sure the value of Authorization header is formed correctly including the signature.',
  EntityAlreadyExists: 'The specified entity already exists.',
  EntityNotFound: 'The specified entity does not exist.',
  ResourceNotFound: 'The specified resource does not exist.',
  TableBeingDeleted: 'The specified table is being deleted. Try operation later.',
  TableNotFound: 'The table specified does not exist.',
  UpdateConditionNotSatisfied: 'The update condition specified in the request was not satisfied.',
};
const IDS = '\nRequestId:00000000-0000-0000-0000-000000000000\nTime:2026-01-01T00:00:00.0000000Z';
const JSON_TYPE = 'application/json;odata=minimalmetadata;streaming=true;charset=utf-8';

/**
 * Refuses a request as Azure does: with JSON, with JSON inside a multipart response for a batch, or with XML when
 * authentication failed.
 */
export async function refuse(
  incoming: IncomingMessage,
  response: ServerResponse,
  request: RefusedRequest,
  { status, code }: StorageRefusal,
): Promise<void> {
  incoming.resume();
  // Like Azure, reads the whole request first: the client is still sending it.
  await once(incoming, 'end');
  const message = `${MESSAGES[code] ?? code}${IDS}`;
  if (code === 'AuthenticationFailed') {
    // As in stackoverflow.com/questions/15056894.
    const xml = `<?xml version="1.0" encoding="utf-8" standalone="yes"?><error xmlns="http://schemas.microsoft.com/ado/2007/08/dataservices/metadata"><code>${code}</code><message xml:lang="en-US">${message}</message></error>`;
    request.status = status;
    response.writeHead(status, { 'Content-Type': 'application/xml' }).end(xml);
    return;
  }
  const json = (value: string): string =>
    JSON.stringify({ 'odata.error': { code, message: { lang: 'en-US', value } } });
  if (request.kind !== 'batch') {
    request.status = status;
    response.writeHead(status, { 'Content-Type': JSON_TYPE }).end(json(message));
    return;
  }
  request.status = 202;
  response.writeHead(202, { 'Content-Type': 'multipart/mixed; boundary=batchresponse_1' });
  // The message begins with the index of the operation that failed:
  // learn.microsoft.com/rest/api/storageservices/performing-entity-group-transactions#sample-error-response.
  response.end(inBatch(status, json(`0:${message}`)));
}

/** The multipart response of a batch whose only part is this error. */
const inBatch = (status: number, body: string): string =>
  [
    '--batchresponse_1',
    'Content-Type: multipart/mixed; boundary=changesetresponse_1',
    '',
    '--changesetresponse_1',
    'Content-Type: application/http',
    'Content-Transfer-Encoding: binary',
    '',
    `HTTP/1.1 ${status} Refused`,
    'X-Content-Type-Options: nosniff',
    'DataServiceVersion: 3.0;',
    `Content-Type: ${JSON_TYPE}`,
    '',
    body,
    '--changesetresponse_1--',
    '--batchresponse_1--',
    '',
  ].join('\r\n');

/** Answers 503 ServerBusy with `Retry-After` in seconds. */
export function throttle(
  incoming: IncomingMessage,
  response: ServerResponse,
  request: RefusedRequest,
  retryAfter: number,
): void {
  incoming.resume();
  request.status = 503;
  response.writeHead(503, {
    'Content-Type': 'application/json;odata=minimalmetadata',
    'x-ms-error-code': 'ServerBusy',
    'Retry-After': retryAfter,
  });
  response.end(THROTTLED);
}
