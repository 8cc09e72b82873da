/** Inlines the styles and modules of the chat page into its HTML, so that one route serves the whole page. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** The page, and the inlined texts that its Content-Security-Policy has to allow. */
export interface InlinedPage {
  html: string;
  styles: string[];
  scripts: string[];
}

const STYLE_LINK = /<link rel="stylesheet" href="([\w-]+\.css)" \/>/g;
const SCRIPT_TAG = /<script type="module" src="([\w-]+\.js)"><\/script>/g;

/**
 * Reads index.html from `folder`, and inlines the styles and modules that it links.
 * @throws Error when a style or module contains the closing tag of its own element.
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
    throw new Error('A style or script of the page contains the closing tag of its own element, or "<!--".');
  return { html, styles, scripts };
}

/**
 * Joins a module and everything it imports, imports first, into one module. It supports only what the page's modules
 * use: named imports from the same folder, exported declarations, and unique top-level names.
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
