/** The Bicep compiler: the pinned one from NuGet where dotnet is, otherwise the installed one. */
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { Child, findProgram } from '../stack/child-process.ts';
import { root } from '../stack/root.ts';

const VERSION = '0.49.2';
const CACHE = join(root, 'node_modules', '.cache', 'azure-functions-ask', 'bicep');
const PLATFORM = `${process.platform === 'win32' ? 'win' : process.platform === 'darwin' ? 'osx' : 'linux'}-${process.arch}`;
const PACKAGE = `Azure.Bicep.CommandLine.${PLATFORM}`;
const NAME = process.platform === 'win32' ? 'bicep.exe' : 'bicep';
const PINNED = join(CACHE, 'packages', PACKAGE.toLowerCase(), VERSION, 'tools', NAME);
/** The template of the deployment. */
export const TEMPLATE = join(root, 'infra', 'main.bicep');

/**
 * Returns the path of a compiler; undefined when there is neither dotnet nor a compiler.
 * @throws Error when dotnet does not get it, and none is installed.
 */
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

/** The second place is that of `az bicep install`. */
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
export async function compile(bicep: string): Promise<{ template: string; problems: string }> {
  const { stdout, problems } = await runBicep(bicep, ['build', TEMPLATE, '--stdout']);
  return { template: stdout, problems };
}

/** Runs a command of the compiler. `problems` is empty when it has no complaint, not even a warning. */
export async function runBicep(bicep: string, args: string[]): Promise<{ stdout: string; problems: string }> {
  // The program needs no library for languages, which small images lack.
  const env = { ...process.env, DOTNET_SYSTEM_GLOBALIZATION_INVARIANT: '1' };
  const child = new Child(bicep, args, { cwd: root, env });
  const code = await child.ended;
  const failure = code === 0 ? '' : (child.startError?.message ?? `bicep ended with exit code ${code}`);
  // With warnings only, there is no failure.
  return { stdout: child.stdout, problems: child.stderr.trim() || failure };
}
