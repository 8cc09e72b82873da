/** Math: as its source, until the part of the page that sets it is there. */
import { element } from '../parts/dom.ts';
import type { MathToken } from './extensions.ts';

const MAX_KEPT = 300;

let setMath: typeof import('./math.late.ts').setMath | undefined;
let loading: Promise<void> | undefined;
/** Formulas that were set: a paragraph that grows is created again and again. */
const kept = new Map<string, Node | undefined>();

/** Shows a formula. One that cannot be set stays as its source. */
export function math({ source, isDisplay }: MathToken): HTMLElement {
  const root = element('span', { class: isDisplay ? 'math display' : 'math' }, element('code', {}, source));
  // A wide formula is scrolled in its place.
  if (isDisplay) for (const [name, value] of REGION) root.setAttribute(name, value);
  if (setMath) set(root, source, isDisplay);
  else void setLater(root, source, isDisplay);
  return root;
}

async function setLater(root: HTMLElement, source: string, isDisplay: boolean): Promise<void> {
  await load();
  set(root, source, isDisplay);
  root.dispatchEvent(new Event('rendered', { bubbles: true }));
}

const REGION = Object.entries({ tabindex: '0', role: 'group', 'aria-label': 'Formula' });

function load(): Promise<void> {
  loading ??= loadPart();
  return loading;
}

async function loadPart(): Promise<void> {
  try {
    const part = await import('./math.late.ts');
    setMath = part.setMath;
  } catch {
    // The source is readable too. The next formula tries again.
    loading = undefined;
  }
}

function set(root: HTMLElement, source: string, isDisplay: boolean): void {
  const key = `${isDisplay} ${source}`;
  if (!kept.has(key)) {
    if (!setMath) return;
    if (kept.size >= MAX_KEPT) kept.clear();
    kept.set(key, setMath(source, isDisplay));
  }
  const made = kept.get(key);
  if (made) root.replaceChildren(made.cloneNode(true));
}
