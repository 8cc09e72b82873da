/** `npm run check:infra`: compiles and lints the Bicep files. */
import { join } from 'node:path';
import { compile, findBicep } from './infra/bicep.ts';
import { parseBicep } from './infra/parse.ts';
import { root } from './stack/root.ts';

/** The help text. */
export const help = `npm run check:infra

Parses, compiles and lints infra/main.bicep and its modules. The compiler holds the types, the API versions and the properties of
all resources against Azure's schemas; a warning is an error here. It is the NuGet package Azure.Bicep.CommandLine, which
dotnet restores once into node_modules/.cache, or the installed one ("bicep" on the PATH, "az bicep install").
Where neither dotnet nor bicep is installed, the files are only parsed.`;

/** Sets the exit code to 1 when a file is wrong; with CI set, also when dotnet could not get the compiler. */
export async function main(): Promise<void> {
  const { files, problems } = await parseBicep(join(root, 'infra'));
  console.log(problems.length === 0 ? `${files} Bicep files can be parsed.` : problems.join('\n'));
  if (problems.length > 0) process.exitCode = 1;
  else await compileTemplate();
}

async function compileTemplate(): Promise<void> {
  let bicep: string | undefined;
  try {
    bicep = findBicep();
  } catch (error) {
    console.log(`Skipped: ${error instanceof Error ? error.message : String(error)}`);
    if (process.env['CI']) process.exitCode = 1;
    return;
  }
  if (bicep === undefined) {
    console.log('Skipped: the Bicep compiler needs dotnet (https://dot.net), or "az bicep install".');
    return;
  }
  const { problems } = await compile(bicep);
  if (problems === '') {
    console.log(`infra/main.bicep compiles without warnings (${bicep}).`);
  } else {
    console.error(problems);
    process.exitCode = 1;
  }
}
