/** Formulas as MathML, by KaTeX. */
import { render } from 'katex';
import { inVariant, shapeColumns } from './math-shape.ts';

const MATHML = 'http://www.w3.org/1998/Math/MathML';
/** A longer one could stop the page for a noticeable time. */
const MAX_LENGTH = 2000;
const MAX_NODES = 5000;
/** Elements and attributes that the page shows. What is missing here is the source, styles and addresses. */
const ELEMENTS = new Set(
  (
    'math mrow mi mn mo ms mtext mspace mfrac msqrt mroot mstyle merror mpadded mphantom msub msup msubsup munder ' +
    'mover munderover mtable mtr mlabeledtr mtd menclose semantics'
  ).split(' '),
);
const ATTRIBUTES = new Set(
  (
    'accent accentunder columnalign columnlines columnspacing depth display displaystyle fence height largeop ' +
    'linethickness lspace mathcolor mathsize mathvariant maxsize minsize movablelimits notation rowlines rowspacing ' +
    'rspace scriptlevel separator side stretchy symmetric voffset width'
  ).split(' '),
);

/** Sets a formula; undefined when it is not valid, or too large. */
export function setMath(source: string, isDisplay: boolean): Node | undefined {
  if (source.length > MAX_LENGTH) return undefined;
  const holder = document.createElement('span');
  try {
    render(source, holder, {
      displayMode: isDisplay,
      output: 'mathml',
      trust: false,
      strict: 'ignore',
      throwOnError: true,
      maxSize: 20,
      maxExpand: 200,
      // The border would need an attribute that the policy of the page forbids.
      macros: { '\\fcolorbox': '\\boxed{\\text{#3}}' },
    });
  } catch {
    return undefined;
  }
  const math = holder.querySelector('math');
  if (!math || math.querySelectorAll('*').length > MAX_NODES) return undefined;
  return copy(math);
}

/** Copies allowed elements, and the content of the others. */
function copy(from: Node): Node {
  if (from.nodeType === Node.TEXT_NODE) {
    const variant = from.parentElement?.getAttribute('mathvariant') ?? '';
    return document.createTextNode(inVariant(from.nodeValue ?? '', variant));
  }
  const name = from.nodeName;
  const to = ELEMENTS.has(name) ? document.createElementNS(MATHML, name) : document.createDocumentFragment();
  if (to instanceof Element)
    for (const { name: attribute, value } of (from as Element).attributes)
      if (ATTRIBUTES.has(attribute)) to.setAttribute(attribute, value);
  for (const child of from.childNodes) if (child.nodeName !== 'annotation') to.append(copy(child));
  if (to instanceof Element && name === 'mtable') shapeColumns(to);
  return to;
}
