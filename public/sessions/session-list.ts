/** Shows the list of conversations at the left. */
import './session-list.css';
import { pageHasCallerKeys } from '../api/sign-in.ts';
import type { Conversation } from '../model/conversation.ts';
import { byId, element } from '../parts/dom.ts';
import { icon } from '../parts/icon.ts';
import { showToast } from '../parts/toast.ts';
import { signInLink } from '../turn/sign-in-link.ts';
import { groupByDay } from './days.ts';
import { Deletions } from './deletions.ts';
import type { Entry } from './entry.ts';
import { renameRow, sessionRow } from './session-row.ts';
import type { SessionStore } from './session-store.ts';
import { TextSearch } from './text-search.ts';

/** With fewer conversations there is nothing to search. */
const SEARCH_FROM = 6;

/** Shows the list in `container` from now on. */
export function startSessionList(
  container: HTMLElement,
  store: SessionStore,
  conversation: Conversation,
): SessionList {
  const list = new SessionList(container, store, conversation);
  store.changed.listen(() => list.draw());
  store.vanished.listen(({ title }) => {
    void showToast(`“${title}” is not on the server any more. It was removed from the list.`);
  });
  void store.load();
  return list;
}

const note = (...texts: (string | Node)[]) => element('p', { class: 'note' }, ...texts);

/** The list, with its search. */
export class SessionList {
  readonly #container: HTMLElement;
  readonly #store: SessionStore;
  readonly #conversation: Conversation;
  readonly #deletions: Deletions;
  readonly #search = element('input', {
    type: 'search',
    'aria-label': 'Search conversations',
    placeholder: 'Search',
    autocomplete: 'off',
    input: () => {
      this.#texts.search(this.#sought);
      this.draw();
    },
  });
  readonly #searchPlace = element('div', { class: 'search' });
  readonly #rows = element('div');
  readonly #foot = element('div', { class: 'foot' });
  readonly #texts = new TextSearch(() => this.draw());
  #renamed: string | undefined;
  /** The search was asked for by its keys, though there is little to search. */
  #wantsSearch = false;

  constructor(container: HTMLElement, store: SessionStore, conversation: Conversation) {
    this.#container = container;
    this.#store = store;
    this.#conversation = conversation;
    this.#deletions = new Deletions(store, conversation);
    container.append(this.#searchPlace, this.#rows, this.#foot);
  }

  /** Shows the search, with the focus in it. */
  search(): void {
    this.#wantsSearch = true;
    this.draw();
    this.#search.focus();
    this.#search.select();
  }

  get #sought(): string {
    return this.#search.value.trim().toLowerCase();
  }

  /** Shows what the store has now. */
  draw(): void {
    // What is being typed stays as it is.
    if (this.#renamed !== undefined) return;
    const menu = this.#rows.querySelector(':popover-open');
    if (menu) {
      // It would be gone with its row.
      menu.addEventListener('toggle', () => this.draw(), { once: true });
      return;
    }
    const { entries } = this.#store;
    const isSearched = this.#wantsSearch || entries.length >= SEARCH_FROM || this.#store.hasMore;
    if (!isSearched) this.#search.value = '';
    if (isSearched !== this.#search.isConnected)
      this.#searchPlace.replaceChildren(...(isSearched ? [icon('search'), this.#search] : []));
    const sought = this.#sought;
    this.#texts.entries = entries;
    const found = entries.filter(
      (entry) => entry.title.toLowerCase().includes(sought) || this.#texts.has(entry),
    );
    this.#keepingFocus(() => {
      this.#rows.replaceChildren(...groupByDay(found, new Date()).map((days) => this.#group(days)));
      if (entries.length === 0 && this.#store.source !== 'unknown')
        this.#rows.append(note('No conversations yet.'));
      this.#foot.replaceChildren(...this.#below(entries, found, sought !== ''));
    });
  }

  #group({ heading, entries }: { heading: string; entries: Entry[] }): HTMLElement {
    const rows = entries.map((entry) =>
      sessionRow(entry, entry.id === this.#conversation.sessionId, {
        rename: (each) => this.#rename(each),
        delete: (each) => this.#delete(each),
      }),
    );
    return element('section', {}, element('h3', {}, heading), element('ul', {}, ...rows));
  }

  #below(entries: Entry[], found: Entry[], isSearch: boolean): Node[] {
    const { source, failure, hasMore } = this.#store;
    const nodes: Node[] = [];
    if (isSearch && this.#texts.isReading) nodes.push(note('Searching the texts'));
    else if (isSearch && found.length === 0) nodes.push(note('No title and no text contains this.'));
    if (isSearch && hasMore) nodes.push(note('Only the conversations that are shown were searched.'));
    if (hasMore) nodes.push(this.#olderButton());
    if (failure?.needsSignIn) nodes.push(note('You are signed out. ', signInLink(), ' to see your list.'));
    else if (failure && !failure.needsKey) nodes.push(note('The list could not be read. ', failure.message));
    if (source === 'browser' || (failure?.needsKey && entries.length > 0 && !pageHasCallerKeys()))
      nodes.push(
        note(
          'This list is kept in this browser only. Whoever has the address of a conversation can read and delete it.',
        ),
      );
    return nodes;
  }

  #olderButton(): HTMLElement {
    const click = () => void this.#store.loadMore();
    return element('button', { type: 'button', class: 'quiet', click, 'data-key': 'older' }, 'Show older');
  }

  #rename(entry: Entry): void {
    const row = this.#focusable(`link ${entry.id}`)?.closest('li');
    if (!row) return;
    this.#renamed = entry.id;
    const form = renameRow(entry, (name) => {
      const hadFocus = form.contains(document.activeElement);
      this.#renamed = undefined;
      if (name === undefined) this.draw();
      else this.#store.rename(entry.id, name);
      if (hadFocus) this.#focusable(`link ${entry.id}`)?.focus();
    });
    row.replaceWith(form);
    form.querySelector('input')?.select();
  }

  #delete(entry: Entry): void {
    const row = this.#focusable(`link ${entry.id}`)?.closest('li');
    const links = [...this.#rows.querySelectorAll<HTMLElement>('a')];
    const at = links.findIndex((link) => row?.contains(link));
    const neighbour = (links[at + 1] ?? links[at - 1])?.dataset['key'];
    void this.#deletions.delete(entry);
    // The focus was on the row, which is gone.
    if (neighbour === undefined) byId('new', HTMLButtonElement).focus();
    else this.#focusable(neighbour)?.focus();
  }

  #focusable = (key: string): HTMLElement | undefined =>
    [...this.#container.querySelectorAll<HTMLElement>('[data-key]')].find(
      ({ dataset }) => dataset['key'] === key,
    );

  /** Draws, and gives the focus to the element that takes the place of the one that had it. */
  #keepingFocus(draw: () => void): void {
    const { activeElement } = document;
    const key = activeElement instanceof HTMLElement ? activeElement.dataset['key'] : undefined;
    draw();
    if (key !== undefined) this.#focusable(key)?.focus({ preventScroll: true });
  }
}
