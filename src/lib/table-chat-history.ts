/** Chat history in Azure Table Storage: one entity per interaction, newest first within its session. */
import { createHash } from 'node:crypto';
import { promisify } from 'node:util';
import { deflateRaw, inflateRaw } from 'node:zlib';
import { odata, RestError, TableClient, type TableServiceClientOptions } from '@azure/data-tables';
import {
  type ChatHistory,
  type Interaction,
  interactionRowKey,
  markerRowKey,
  nextEpoch,
  parseRowKey,
  type Row,
  type SessionKey,
  toConversation,
} from './chat-history.ts';
import type { StorageConfig } from './config.ts';

/** A binary property holds at most 64 KiB, a text property 32 Ki UTF-16 units. */
const BINARY_CHUNK_BYTES = 64_000;
/** Longer interactions are compressed, so that plain text always fits into one property. */
const COMPRESS_ABOVE_CHARS = 4096;
/** Longest wait for one call. The SDK's own default waits for ever and retries for 4 to 5 s. */
const CALL_TIMEOUT_MS = 1500;
/** Keys of interactions and markers start with a digit; everything else in a partition sorts after this. */
const AFTER_ROWS = 'i';

const deflate = promisify(deflateRaw);
const inflate = promisify(inflateRaw);

type Properties = Record<string, string | Uint8Array>;
type Entity = Record<string, unknown> & { rowKey?: string };

/** Opens chat history at the storage that `config` names. Nothing is sent before the first call. */
export async function createTableChatHistory(config: StorageConfig): Promise<ChatHistory> {
  const client = await createClient(config);

  async function listRows(session: SessionKey, limit: number): Promise<Row[]> {
    const filter = odata`PartitionKey eq ${partitionKey(session)} and RowKey lt ${AFTER_ROWS}`;
    const options = { queryOptions: { filter }, abortSignal: AbortSignal.timeout(CALL_TIMEOUT_MS) };
    const entities: Entity[] = [];
    // Storage may answer with a short page and a token to go on; a full page is all we asked for.
    for await (const page of client.listEntities(options).byPage({ maxPageSize: limit })) {
      entities.push(...page);
      if (entities.length >= limit) break;
    }
    return Promise.all(entities.slice(0, limit).map(toRow));
  }

  async function rowsOf(session: SessionKey, limit: number): Promise<Row[]> {
    try {
      return await listRows(session, limit);
    } catch (error) {
      if (isTableNotFound(error)) return [];
      throw error;
    }
  }

  async function insert(session: SessionKey, rowKey: string, properties: Properties): Promise<void> {
    const entity = { partitionKey: partitionKey(session), rowKey, ...properties };
    const send = () => client.createEntity(entity, { abortSignal: AbortSignal.timeout(CALL_TIMEOUT_MS) });
    try {
      await send();
    } catch (error) {
      // The SDK repeats an insert whose answer was lost; the key is ours alone, so it is our row that is there.
      if (errorCode(error) === 'EntityAlreadyExists') return;
      if (!isTableNotFound(error)) throw error;
      await client.createTable({ abortSignal: AbortSignal.timeout(CALL_TIMEOUT_MS) });
      await send();
    }
  }

  return {
    async read(session, limit) {
      // One more than the limit, because the marker of the conversation may be among them.
      return toConversation(await rowsOf(session, limit + 1), limit);
    },
    async append(session, position, interaction) {
      await insert(session, interactionRowKey(position), await toProperties(interaction));
    },
    async reset(session) {
      const arrival = Date.now();
      const [newest] = await rowsOf(session, 1);
      const epoch = nextEpoch(newest?.epoch ?? 0, arrival);
      await insert(session, markerRowKey(epoch), {});
      return { epoch, lastMs: 0 };
    },
    async check() {
      await rowsOf({ userId: null, sessionId: '' }, 1);
    },
  };
}

async function createClient(config: StorageConfig): Promise<TableClient> {
  const options: TableServiceClientOptions = {
    retryOptions: { maxRetries: 1, retryDelayInMs: 100, maxRetryDelayInMs: 400 },
    allowInsecureConnection: true, // Azurite speaks HTTP; config.ts allows that on this machine only.
  };
  if ('connectionString' in config) {
    return TableClient.fromConnectionString(config.connectionString, config.tableName, options);
  }
  const { DefaultAzureCredential } = await import('@azure/identity');
  const identity = config.clientId === undefined ? {} : { managedIdentityClientId: config.clientId };
  return new TableClient(config.endpoint, config.tableName, new DefaultAzureCredential(identity), options);
}

/** User text never is a key: it could hold characters that keys may not, or be too long. */
function partitionKey({ userId, sessionId }: SessionKey): string {
  return createHash('sha256')
    .update(JSON.stringify([userId, sessionId]))
    .digest('base64url');
}

const errorCode = (error: unknown): string | undefined =>
  // `details` is untyped in the SDK.
  error instanceof RestError
    ? (error.details as { odataError?: { code?: string } } | undefined)?.odataError?.code
    : undefined;

const isTableNotFound = (error: unknown): boolean => errorCode(error) === 'TableNotFound';

async function toProperties({ question, answer }: Interaction): Promise<Properties> {
  if (question.length + answer.length <= COMPRESS_ABOVE_CHARS) return { h0: question, a0: answer };
  const packed = await deflate(JSON.stringify([question, answer]), { level: 1 });
  const properties: Properties = {};
  for (let part = 0; part * BINARY_CHUNK_BYTES < packed.length; part++) {
    const start = part * BINARY_CHUNK_BYTES;
    properties[`z${part}`] = new Uint8Array(packed.subarray(start, start + BINARY_CHUNK_BYTES));
  }
  return properties;
}

async function toRow(entity: Entity): Promise<Row> {
  const rowKey = entity.rowKey ?? '';
  return { ...parseRowKey(rowKey), rowKey, interaction: await toInteraction(entity) };
}

async function toInteraction(entity: Entity): Promise<Interaction | null> {
  if (!('z0' in entity))
    return 'h0' in entity ? { question: String(entity['h0']), answer: String(entity['a0']) } : null;
  const parts: Uint8Array[] = [];
  for (let part = 0; `z${part}` in entity; part++) parts.push(entity[`z${part}`] as Uint8Array);
  const [question, answer] = JSON.parse((await inflate(Buffer.concat(parts))).toString()) as [string, string];
  return { question, answer };
}
