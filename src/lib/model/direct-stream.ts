/** Reads a stream of LangChain from its source, without the web stream in between. */
import { IterableReadableStream } from '@langchain/core/utils/stream';

type Source<T> = AsyncGenerator<T, undefined, undefined>;

/**
 * LangChain's stream is a web stream that can be iterated. Iterating this one does not go through the web stream, which costs
 * more than everything else for tokens that arrive one by one. Read a stream in only one of the two ways.
 */
export class DirectStream<T> extends IterableReadableStream<T> {
  #first: IteratorResult<T, undefined> | undefined;
  readonly #source: Source<T>;

  /** `first` was read from `source` before. */
  constructor(first: IteratorResult<T, undefined>, source: Source<T>) {
    super(
      {
        pull: async (controller) => {
          const { done, value } = await this.next();
          if (done) controller.close();
          else controller.enqueue(value);
        },
        cancel: async () => void (await this.return()),
      },
      { highWaterMark: 0 },
    );
    this.#first = first;
    this.#source = source;
  }

  override next(): Promise<IteratorResult<T>> {
    const first = this.#first;
    if (!first) return this.#source.next();
    this.#first = undefined;
    return Promise.resolve(first);
  }

  override return(): Promise<IteratorReturnResult<undefined>> {
    this.#first = undefined;
    return this.#source.return(undefined) as Promise<IteratorReturnResult<undefined>>;
  }

  override async throw(error: unknown): Promise<never> {
    await this.return();
    throw error;
  }
}
