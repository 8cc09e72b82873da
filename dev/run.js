// Runs one of the scripts beside it. Plain JavaScript, so that a Node that is too old says so in one line
// instead of failing on the first line of TypeScript: node dev/run.js SCRIPT [arguments]
const required = 24;
if (Number.parseInt(process.versions.node, 10) < required) {
  console.error(
    `This needs Node ${required} or newer, and this is ${process.version} (${process.execPath}). The project brings its own: ` +
      `run "npm ci", then start scripts through npm ("npm start", "npm test").`,
  );
  process.exit(1);
}
const [script, ...args] = process.argv.slice(2);
// Without a script it only checks the version.
if (script !== undefined) {
  const { main } = await import(`./${script}.ts`);
  await main(args);
}
