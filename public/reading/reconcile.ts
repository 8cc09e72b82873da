/** Keeps the elements of what has not changed, so that a growing answer is cheap and selected text stays selected. */

/** A part of the answer that is one element. */
export interface Block {
  /** Its source, and what else the element depends on. The element is kept while the key is the same. */
  key: string;
  /** Elements of the same kind can be updated. */
  kind: string;
  build: () => HTMLElement;
  /** Brings an element of an earlier state up to date. Without it the element is built anew. */
  update?: (present: HTMLElement) => void;
}

const shown = new WeakMap<Element, Block>();

/** Makes the children of `parent` those of `blocks`, from the child at `from` on. */
export function reconcile(parent: Element, blocks: readonly Block[], from = 0): void {
  for (const [index, block] of blocks.entries()) {
    const present = parent.children[from + index];
    const before = present && shown.get(present);
    if (before?.key === block.key) continue;
    if (present && before?.kind === block.kind && block.update) {
      block.update(present as HTMLElement);
      shown.set(present, block);
      continue;
    }
    const built = block.build();
    shown.set(built, block);
    if (present) present.replaceWith(built);
    else parent.append(built);
  }
  while (parent.children.length > from + blocks.length) parent.lastElementChild?.remove();
}
