/** Code with colours, by highlight.js. */
import type { ElementContent, RootContent } from 'hast';
import bash from 'highlight.js/lib/languages/bash';
import c from 'highlight.js/lib/languages/c';
import cpp from 'highlight.js/lib/languages/cpp';
import csharp from 'highlight.js/lib/languages/csharp';
import css from 'highlight.js/lib/languages/css';
import diff from 'highlight.js/lib/languages/diff';
import dockerfile from 'highlight.js/lib/languages/dockerfile';
import go from 'highlight.js/lib/languages/go';
import java from 'highlight.js/lib/languages/java';
import javascript from 'highlight.js/lib/languages/javascript';
import json from 'highlight.js/lib/languages/json';
import kotlin from 'highlight.js/lib/languages/kotlin';
import markdown from 'highlight.js/lib/languages/markdown';
import php from 'highlight.js/lib/languages/php';
import powershell from 'highlight.js/lib/languages/powershell';
import python from 'highlight.js/lib/languages/python';
import ruby from 'highlight.js/lib/languages/ruby';
import rust from 'highlight.js/lib/languages/rust';
import sql from 'highlight.js/lib/languages/sql';
import swift from 'highlight.js/lib/languages/swift';
import typescript from 'highlight.js/lib/languages/typescript';
import xml from 'highlight.js/lib/languages/xml';
import yaml from 'highlight.js/lib/languages/yaml';
import { createLowlight } from 'lowlight';
import { element } from '../parts/dom.ts';
import { codeText } from './characters.ts';

const highlighter = createLowlight({
  bash,
  c,
  cpp,
  csharp,
  css,
  diff,
  dockerfile,
  go,
  java,
  javascript,
  json,
  kotlin,
  markdown,
  php,
  powershell,
  python,
  ruby,
  rust,
  sql,
  swift,
  typescript,
  xml,
  yaml,
});

/** Classes of the highlighter, by the colour that they get. Others have the colour of the text. */
const COLOURS: ReadonlyMap<string, string> = new Map(
  Object.entries({
    comment: 'comment quote',
    keyword: 'keyword selector-tag doctag section literal built_in',
    string: 'string regexp addition template-variable selector-attr selector-id selector-class link',
    number: 'number symbol bullet meta variable attr attribute property',
    name: 'title type name tag params code',
    removed: 'deletion',
  }).flatMap(([colour, classes]) => classes.split(' ').map((name) => [`hljs-${name}`, colour] as const)),
);

/** Colours code; undefined when the language is not known. */
export function highlight(code: string, language: string): DocumentFragment | undefined {
  const name = language.toLowerCase();
  if (!highlighter.registered(name)) return undefined;
  const nodes = document.createDocumentFragment();
  nodes.append(...highlighter.highlight(name, code).children.flatMap(toNodes));
  return nodes;
}

function toNodes(content: RootContent | ElementContent): Node[] {
  if (content.type === 'text') return [codeText(content.value)];
  if (content.type !== 'element') return [];
  const inner = content.children.flatMap(toNodes);
  const classes = content.properties['className'];
  const colour = Array.isArray(classes)
    ? classes.map((each) => (typeof each === 'string' ? COLOURS.get(each) : undefined)).find(Boolean)
    : undefined;
  return colour === undefined ? inner : [element('span', { class: `c-${colour}` }, ...inner)];
}
