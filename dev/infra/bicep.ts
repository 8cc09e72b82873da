/** The Bicep compiler: the pinned one from NuGet where dotnet is, otherwise the installed one. */
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join, relative } from 'node:path';
import { findProgram } from '../stack/child-process.ts';
import { root } from '../stack/root.ts';

const VERSION = '0.49.2';
const CACHE = join(root, 'node_modules', '.cache', 'azure-functions-ask', 'bicep');
const PLATFORM = `${process.platform === 'win32' ? 'win' : process.platform === 'darwin' ? 'osx' : 'linux'}-${process.arch}`;
const PACKAGE = `Azure.Bicep.CommandLine.${PLATFORM}`;
const NAME = process.platform === 'win32' ? 'bicep.exe' : 'bicep';
const PINNED = join(CACHE, 'packages', PACKAGE.toLowerCase(), VERSION, 'tools', NAME);
/** The template of the deployment. */
export const TEMPLATE = join(root, 'infra', 'main.bicep');

/** A resource as it would be deployed. Values that only Azure knows are expressions in square brackets. */
export interface PredictedResource {
  id: string;
  type: string;
  name: string;
  properties: Record<string, unknown>;
  [field: string]: unknown;
}

/** Whether a compiler is here, or can be had with dotnet. */
export const canHaveBicep = (): boolean =>
  existsSync(PINNED) || findInstalled() !== undefined || findProgram('dotnet') !== undefined;

/** Returns the path of a compiler; undefined when there is none. @throws Error when NuGet does not give it. */
export function findBicep(): string | undefined {
  if (existsSync(PINNED)) return PINNED;
  const installed = findInstalled();
  if (findProgram('dotnet') === undefined) return installed;
  try {
    return restore();
  } catch (error) {
    if (installed !== undefined) return installed;
    throw error;
  }
}

/** `az bicep install` puts it into the second place. */
function findInstalled(): string | undefined {
  const ofAzureCli = join(homedir(), '.azure', 'bin', NAME);
  return findProgram('bicep') ?? (existsSync(ofAzureCli) ? ofAzureCli : undefined);
}

/** NuGet downloads a package only for a project. */
function restore(): string {
  mkdirSync(CACHE, { recursive: true });
  writeFileSync(
    join(CACHE, 'bicep.csproj'),
    `<Project Sdk="Microsoft.NET.Sdk">
  <PropertyGroup>
    <TargetFramework>netstandard2.0</TargetFramework>
    <DisableImplicitFrameworkReferences>true</DisableImplicitFrameworkReferences>
    <RestorePackagesPath>packages</RestorePackagesPath>
  </PropertyGroup>
  <ItemGroup><PackageDownload Include="${PACKAGE}" Version="[${VERSION}]" /></ItemGroup>
</Project>
`,
  );
  const { status, stdout, error } = spawnSync('dotnet', ['restore', 'bicep.csproj'], {
    cwd: CACHE,
    encoding: 'utf8',
    env: { ...process.env, DOTNET_CLI_TELEMETRY_OPTOUT: '1', DOTNET_NOLOGO: '1' },
  });
  if (status !== 0 || !existsSync(PINNED)) {
    throw new Error(`dotnet could not restore ${PACKAGE} ${VERSION}:\n${error?.message ?? stdout}`);
  }
  chmodSync(PINNED, 0o755);
  return PINNED;
}

/** Compiles and lints the template. Returns the ARM template, and the errors and warnings of the compiler. */
export function compile(bicep: string): { template: string; problems: string } {
  const { stdout, problems } = run(bicep, ['build', TEMPLATE, '--stdout']);
  return { template: stdout, problems };
}

/** Returns the resources that the template deploys with these parameters. @throws Error with the compiler's messages. */
export function predict(
  bicep: string,
  parameters: Record<string, string | number | boolean>,
): PredictedResource[] {
  const folder = join(root, '.data');
  mkdirSync(folder, { recursive: true });
  const work = mkdtempSync(join(folder, 'infra-'));
  try {
    const file = join(work, 'main.bicepparam');
    const lines = Object.entries(parameters).map(([name, value]) => `param ${name} = ${literal(value)}`);
    const template = relative(work, TEMPLATE).replaceAll('\\', '/');
    writeFileSync(file, [`using '${template}'`, ...lines, ''].join('\n'));
    const id = '00000000-0000-0000-0000-000000000000';
    const scope = ['--subscription-id', id, '--tenant-id', id, '--location', 'westeurope'];
    const { problems } = run(bicep, ['snapshot', file, '--mode', 'overwrite', ...scope]);
    if (problems !== '') throw new Error(problems);
    const snapshot = JSON.parse(readFileSync(join(work, 'main.snapshot.json'), 'utf8')) as {
      predictedResources: PredictedResource[];
    };
    return snapshot.predictedResources;
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

const literal = (value: string | number | boolean): string =>
  typeof value === 'string' ? `'${value}'` : String(value);

function run(bicep: string, args: string[]): { stdout: string; problems: string } {
  const { status, stdout, stderr, error } = spawnSync(bicep, args, {
    cwd: root,
    encoding: 'utf8',
    maxBuffer: 50_000_000,
    // The self-contained program runs without the libraries for languages, which small images lack.
    env: { ...process.env, DOTNET_SYSTEM_GLOBALIZATION_INVARIANT: '1' },
  });
  // With warnings only, the status is 0.
  const failure = status === 0 ? '' : (error?.message ?? `The compiler ended with ${status}.`);
  return { stdout, problems: stderr.trim() || failure };
}
