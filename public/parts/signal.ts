/** Tells listeners that something has happened, so that modules need not know each other. */
export class Signal<Value = void> {
  readonly #listeners = new Set<(value: Value) => void>();

  /** Calls `listener` each time. Returns a function that ends this. */
  listen(listener: (value: Value) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Calls the listeners in the order in which they were added. */
  emit(value: Value): void {
    for (const listener of this.#listeners) listener(value);
  }
}
