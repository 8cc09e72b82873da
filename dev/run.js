// Runs a script of this folder: node dev/run.js SCRIPT [arguments]. It is plain JavaScript, so that a Node that is too
// old for TypeScript still prints the message below.
const required = 24;
if (Number.parseInt(process.versions.node, 10) < required) {
  console.error(
    `Node ${required} or newer is required, but this is ${process.version} (${process.execPath}). The project installs its own: ` +
      `run "npm ci", then start scripts through npm ("npm start", "npm test").`,
  );
  process.exit(1);
}
const [script, ...args] = process.argv.slice(2);
// Without SCRIPT only the version is checked.
if (script !== undefined) {
  const { help, main } = await import(`./${script}.ts`);
  if (args.includes('--help')) console.log(help);
  else await main(args);
}
