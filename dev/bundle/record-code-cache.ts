/**
 * Preloaded into an app: each of its scripts writes its code cache when the process ends, with all functions that were compiled
 * by then.
 */
import { writeFileSync } from 'node:fs';
import vm from 'node:vm';
import { codeCacheOf } from '../../src/lib/app/run-script.ts';

vm.Script = class extends vm.Script {
  constructor(source: string, options: vm.ScriptOptions & { filename: string }) {
    super(source, options);
    process.on('exit', () => writeFileSync(codeCacheOf(options.filename), this.createCachedData()));
  }
};
