/** Puts the chat page's style and modules into its HTML, so that one address serves it all. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** A page in one piece, and the exact texts that a Content-Security-Policy has to allow. */
export interface InlinedPage {
  html: string;
  styles: string[];
  scripts: string[];
}

const STYLE_LINK = /<link rel="stylesheet" href="([\w-]+\.css)" \/>/g;
const SCRIPT_TAG = /<script type="module" src="([\w-]+\.js)"><\/script>/g;

/**
 * Reads index.html from `folder`, with the styles and modules that it names.
 * @throws Error when a text cannot be inlined, since it would end its own element.
 */
export function inlinePage(folder: string): InlinedPage {
  const styles: string[] = [];
  const scripts: string[] = [];
  const html = readFileSync(join(folder, 'index.html'), 'utf8')
    .replaceAll(STYLE_LINK, (_, name: string) => {
      const style = `\n${readFileSync(join(folder, name), 'utf8')}`;
      styles.push(style);
      return `<style>${style}</style>`;
    })
    .replaceAll(SCRIPT_TAG, (_, name: string) => {
      const script = `\n${joinModules(folder, name)}`;
      scripts.push(script);
      return `<script type="module">${script}</script>`;
    });
  if (/<\/style/i.test(styles.join('')) || /<\/script|<!--/i.test(scripts.join('')))
    throw new Error('A style or script of the page would end its own element.');
  return { html, styles, scripts };
}

/**
 * Gives a module with all that it imports in front of it, as one module. The modules of the page keep to what this
 * understands: named imports of files beside them, exported declarations, and no top-level name used twice.
 */
function joinModules(folder: string, entry: string, seen = new Set<string>()): string {
  seen.add(entry);
  let joined = '';
  const own = readFileSync(join(folder, entry), 'utf8')
    .replaceAll(/^import \{[^}]*\} from '\.\/([\w-]+\.js)';\n/gm, (_, name: string) => {
      if (!seen.has(name)) joined += joinModules(folder, name, seen);
      return '';
    })
    .replaceAll(/^export (?=(?:async )?function|const|class)/gm, '');
  return joined + own;
}
