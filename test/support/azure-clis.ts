/**
 * Programs `az` and `azd` that answer as Azure's do. The catalogue has the fields, the nulls and the two kinds of dates that
 * users recorded from `az cognitiveservices model list` in August 2024 and from the API in August 2026; the schema is
 * learn.microsoft.com/rest/api/aiservices/accountmanagement/models/list.
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';

/** What Azure says of a model. */
export interface Offer {
  name: string;
  version: string;
  kinds?: string[];
  lifecycle?: string;
  retires?: string | null;
  /** The quota of each SKU, in units: used and limit. */
  skus?: Record<string, { used?: number; limit: number; usageName?: string; retires?: string }>;
}

/** A deployment in an account. */
export interface Deployed {
  account: string;
  location: string;
  deployment: string;
  name: string;
  version: string;
  sku: string;
  capacity: number;
  createdAt?: string;
}

/** What the stand-ins know. */
export interface Azure {
  regions: Record<string, Offer[]>;
  deployed?: Deployed[];
  /** What `az` prints to its standard error, instead of answering a command that begins with the key. */
  errors?: Record<string, string>;
}

const usageNameOf = (sku: string, name: string): string => `OpenAI.${sku}.${name}`;

/** The entries of one model, as `az cognitiveservices model list` prints them. */
const entriesOf = ({ name, version, kinds, lifecycle, retires = '2028-03-22', skus = {} }: Offer): object[] =>
  (kinds ?? ['OpenAI', 'AIServices']).map((kind) => ({
    kind,
    model: {
      baseModel: null,
      callRateLimit: null,
      capabilities: { assistants: 'true', chatCompletion: 'true', responses: 'true' },
      deprecation: retires === null ? null : { fineTune: null, inference: `${retires}T00:00:00Z` },
      finetuneCapabilities: null,
      format: 'OpenAI',
      isDefaultVersion: true,
      lifecycleStatus: lifecycle ?? 'GenerallyAvailable',
      maxCapacity: 3,
      name,
      skus: Object.entries(skus).map(([sku, it]) => ({
        capacity: { default: 10, maximum: 1_000_000, minimum: null, step: null },
        deprecationDate: it.retires ? `${it.retires}T09:00:00+09:00` : null,
        name: sku,
        rateLimits: [
          { count: 1, key: 'request', renewalPeriod: 60, rules: null },
          { count: 1000, key: 'token', renewalPeriod: 60, rules: null },
        ],
        usageName: it.usageName ?? usageNameOf(sku, name),
      })),
      source: null,
      systemData: { createdAt: `${version}T00:00:00Z`, createdBy: 'Microsoft', createdByType: 'Application' },
      version,
    },
    skuName: 'S0',
  }));

/** The quotas of a region, as `az cognitiveservices usage list` prints them. */
const usagesOf = (offers: Offer[]): object[] =>
  offers.flatMap(({ name, skus = {} }) =>
    Object.entries(skus).map(([sku, { used = 0, limit, usageName }]) => ({
      currentValue: used,
      limit,
      name: {
        localizedValue: `One Thousand Tokens Per Minute - ${name} - ${sku}`,
        value: usageName ?? usageNameOf(sku, name),
      },
      nextResetTime: null,
      quotaPeriod: null,
      status: null,
      unit: 'Count',
    })),
  );

/** The answers of `az`, by the beginning of the command. */
function answersOf({ regions, deployed = [] }: Azure): Record<string, object> {
  const list = 'cognitiveservices account deployment list --name';
  const accounts = new Map(deployed.map(({ account, location }) => [account, { name: account, location }]));
  return {
    ...Object.fromEntries(
      Object.entries(regions).flatMap(([location, offers]) => [
        [`cognitiveservices model list --location ${location} `, offers.flatMap(entriesOf)],
        [`cognitiveservices usage list --location ${location} `, usagesOf(offers)],
      ]),
    ),
    ...(accounts.size > 0 && {
      'cognitiveservices account list --resource-group rg-dev ': [...accounts.values()].map((it) => ({
        ...it,
        kind: 'OpenAI',
        tags: { 'azd-env-name': 'dev' },
      })),
    }),
    ...Object.fromEntries(
      [...accounts.keys()].map((account) => [
        `${list} ${account} --resource-group rg-dev `,
        deployed
          .filter((it) => it.account === account)
          .map(({ deployment, name, version, sku, capacity, createdAt }) => ({
            name: deployment,
            properties: {
              model: { format: 'OpenAI', name, source: null, version },
              provisioningState: 'Succeeded',
              versionUpgradeOption: 'OnceCurrentVersionExpired',
            },
            sku: { capacity, family: null, name: sku, size: null, tier: null },
            systemData: { createdAt: createdAt ?? '2026-10-01T00:00:00Z', createdByType: 'User' },
          })),
      ]),
    ),
  };
}

/** Exit code 3 and these words: what the Azure CLI gives for a group that does not exist. */
const NO_GROUP = `ERROR: (ResourceGroupNotFound) Resource group 'rg-dev' could not be found.
Code: ResourceGroupNotFound`;

const PROGRAM = `
import { appendFileSync, readFileSync } from 'node:fs';
const [program, ...args] = process.argv.slice(2);
const folder = import.meta.dirname;
const command = args.join(' ') + ' ';
appendFileSync(folder + '/calls', program + ' ' + command.trim() + '\\n');
if (program === 'az') {
  const { answers, errors } = JSON.parse(readFileSync(folder + '/azure.json', 'utf8'));
  const find = (all) => Object.entries(all).find(([key]) => command.startsWith(key))?.[1];
  const error = find(errors);
  const answer = find(answers);
  if (error === undefined && answer !== undefined) console.log(JSON.stringify(answer));
  else {
    console.error(error ?? ${JSON.stringify(NO_GROUP)});
    process.exitCode = error === undefined ? 3 : 1;
  }
}
`;

/** A folder with the programs, to be put first on the PATH. */
export class AzureClis implements Disposable {
  readonly #folder = mkdtempSync(join(tmpdir(), 'ask-azure-'));

  constructor(azure: Azure) {
    const bin = join(this.#folder, 'bin');
    mkdirSync(bin);
    const program = join(this.#folder, 'program.js');
    writeFileSync(join(this.#folder, 'package.json'), '{"type":"module"}');
    writeFileSync(program, PROGRAM);
    writeFileSync(
      join(this.#folder, 'azure.json'),
      JSON.stringify({ answers: answersOf(azure), errors: azure.errors ?? {} }),
    );
    for (const name of ['az', 'azd']) {
      const [file, script] =
        process.platform === 'win32'
          ? [`${name}.cmd`, `@"${process.execPath}" "${program}" ${name} %*\r\n`]
          : [name, `#!/bin/sh\nexec '${process.execPath}' '${program}' ${name} "$@"\n`];
      writeFileSync(join(bin, file), script, { mode: 0o755 });
    }
    this.path = [bin, process.env['PATH']].join(delimiter);
  }

  readonly path: string;

  /** The commands that were run, such as `azd env set A=B`, in their order. */
  get calls(): string[] {
    try {
      return readFileSync(join(this.#folder, 'calls'), 'utf8').trim().split('\n');
    } catch {
      return [];
    }
  }

  /** The variables that `azd env set` was told to set. */
  get variables(): Record<string, string> {
    const sets = this.calls.filter((call) => call.startsWith('azd env set '));
    return Object.fromEntries(
      sets.flatMap((call) =>
        [...call.matchAll(/(\w+)=(\S*)/g)].map(([, name = '', value = '']) => [name, value]),
      ),
    );
  }

  [Symbol.dispose](): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
