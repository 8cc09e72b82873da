/**
 * Preloaded by a test: writes to the file RECORD_LOADS the URL of every module that the process loads, and of every script,
 * with whether V8 has accepted its code cache.
 */
import { appendFileSync } from 'node:fs';
import { registerHooks } from 'node:module';
import { pathToFileURL } from 'node:url';
import vm from 'node:vm';

/** @param {string} line */
const record = (line) => appendFileSync(process.env['RECORD_LOADS'] ?? '', `${line}\n`);

registerHooks({
  load(url, context, next) {
    record(url);
    return next(url, context);
  },
});

vm.Script = class extends vm.Script {
  /**
   * @param {string} source
   * @param {vm.ScriptOptions & { filename: string }} options
   */
  constructor(source, options) {
    super(source, options);
    const { filename, cachedData } = options;
    record(pathToFileURL(filename).href);
    record(`code cache ${cachedData && !this.cachedDataRejected ? 'accepted' : 'not used'}`);
  }
};
