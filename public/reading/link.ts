/** Links of an answer. */
import { element } from '../parts/dom.ts';

const PROTOCOLS = ['http:', 'https:', 'mailto:'];
/** A label that a reader takes for an address. */
const LIKE_ADDRESS = /^(?:[a-z][a-z+.-]*:|www\.|[\w-]+(?:\.[\w-]+)+(?:[/?#:]|$))/i;

/**
 * Creates a link to a safe URL, and only the label for others, such as `javascript:`. When the label looks like an address
 * of another host, the host of the link is shown after it.
 */
export function link(address: string, label: Node | string): Node | string {
  const url = URL.canParse(address) ? new URL(address) : null;
  if (!url || !PROTOCOLS.includes(url.protocol)) return label;
  const made = element('a', { href: url.href, target: '_blank', rel: 'noopener noreferrer nofollow' }, label);
  const text = made.textContent?.trim() ?? '';
  // A link without a text could not be seen.
  if (!text) made.append(url.host || url.href);
  if (text !== url.href && text !== address) made.title = url.href;
  if (!isDeceiving(text, url)) return made;
  const both = document.createDocumentFragment();
  both.append(made, element('span', { class: 'host' }, ` (${url.host || url.pathname})`));
  return both;
}

function isDeceiving(text: string, url: URL): boolean {
  // What stands before the @ of https://known.example@other.example looks like the host.
  if (url.username || url.password) return true;
  if (!LIKE_ADDRESS.test(text)) return false;
  const shown = /^[a-z][a-z+.-]*:/i.test(text) ? text : `${url.protocol}//${text}`;
  return !URL.canParse(shown) || new URL(shown).host !== url.host;
}
