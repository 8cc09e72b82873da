/** The icons of the page: lines on a grid of 24, in the colour of the text. */
import { svgElement } from './dom.ts';

const PATHS = {
  again: 'M19.5 12a7.5 7.5 0 1 1-2.2-5.3L20 9.4M20 4.5v4.9h-4.9',
  check: 'M5 12.5l4.5 4.5L19 7',
  close: 'M6 6l12 12M18 6L6 18',
  copy: 'M9 9h10v11H9zM15 9V4H5v11h4',
  download: 'M12 4v11.5M7 10.5l5 5 5-5M4.5 20h15',
  edit: 'M4.5 19.5l1-4.5L16 4.5l3.5 3.5L9 18.5zM13.5 7l3.5 3.5',
  down: 'M12 5v14M6 13l6 6 6-6',
  delete: 'M5 7h14M10 7V4h4v3M7 7l1 13h8l1-13M10 11v5M14 11v5',
  keyboard: 'M3 6h18v12H3zM7 10h.01M11 10h.01M15 10h.01M17 10h.01M8 14h8',
  list: 'M4 5h16v14H4zM10 5v14',
  measurements: 'M5 20V11M12 20V4M19 20v-6',
  more: 'M5 12h.01M12 12h.01M19 12h.01',
  new: 'M12 5v14M5 12h14',
  print: 'M7 9V4h10v5M7 17H4V9h16v8h-3M7 14h10v6H7z',
  rename: 'M4 20l1-4L16 5l3 3L8 19l-4 1zM14 7l3 3',
  search: 'M11 5a6 6 0 1 0 0 12 6 6 0 0 0 0-12zM15.5 15.5L20 20',
  send: 'M12 19V5M6 11l6-6 6 6',
  stop: 'M7 7h10v10H7z',
};

export type IconName = keyof typeof PATHS;

/** Creates an icon. It says nothing to screen readers: its button needs a text or a label. */
export function icon(name: IconName): SVGElement {
  return svgElement(
    'svg',
    { class: 'icon', viewBox: '0 0 24 24', 'aria-hidden': 'true', 'data-name': name },
    svgElement('path', { d: PATHS[name] }),
  );
}

/** Puts the icons into the elements of index.html that name one in `data-icon`. */
export function fillIcons(): void {
  for (const holder of document.querySelectorAll<HTMLElement>('[data-icon]')) {
    holder.prepend(icon(holder.dataset['icon'] as IconName));
  }
}
