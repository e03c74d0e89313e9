// Values on their way from a producer that never waits to a consumer that may. Knows nothing of what they are.

/** What a stream tells its producer. */
export interface StreamHooks {
  /** The consumer wants the first value; what it throws ends the stream. */
  onStart(): void;
  /** The stream has ended, by whichever side; called once, and only after `onStart`. */
  onEnd(): void;
}

interface Reader<T, R> {
  resolve(result: IteratorResult<T, R>): void;
  reject(error: unknown): void;
}

type Ending<R> = { readonly value: R } | { readonly error: unknown };

/**
 * An async generator whose values are pushed. Nothing happens before the first `next`. Unlike that of a generator
 * function, `return` takes effect at once, even while a `next` is pending.
 */
export class TokenStream<T, R> implements AsyncGenerator<T, R, void> {
  readonly #hooks: StreamHooks;
  readonly #values: T[] = [];
  readonly #readers: Reader<T, R>[] = [];
  #state: "new" | "open" | "ended" = "new";
  /** How it ended, until a reader has been told. */
  #ending: Ending<R> | undefined;

  constructor(hooks: StreamHooks) {
    this.#hooks = hooks;
  }

  /** Gives a value to the consumer, now or when it asks; nothing happens after the end. */
  push(value: T): void {
    if (this.#state === "ended") return;
    const reader = this.#readers.shift();
    if (reader) reader.resolve({ done: false, value });
    else this.#values.push(value);
  }

  /** Ends the stream after the values that are in it. */
  end(value: R): void {
    this.#end({ value });
  }

  /** Ends the stream with an error, after the values that are in it. */
  fail(error: unknown): void {
    this.#end({ error });
  }

  /** Ends the stream with an error in place of the values that are in it. */
  abort(error: unknown): void {
    this.#values.length = 0;
    this.fail(error);
  }

  next(): Promise<IteratorResult<T, R>> {
    this.#start();
    return new Promise((resolve, reject) => {
      if (this.#values.length > 0) resolve({ done: false, value: this.#values.shift()! });
      else if (this.#state === "ended") this.#tellEnding({ resolve, reject });
      else this.#readers.push({ resolve, reject });
    });
  }

  async return(value: R | PromiseLike<R>): Promise<IteratorResult<T, R>> {
    this.#close();
    return { done: true, value: await value };
  }

  async throw(error: unknown): Promise<IteratorResult<T, R>> {
    this.#close();
    throw error;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#close();
  }

  #start(): void {
    if (this.#state !== "new") return;
    this.#state = "open";
    try {
      this.#hooks.onStart();
    } catch (error) {
      this.fail(error);
    }
  }

  /** The consumer leaves: what it has not taken is dropped, and readers that wait are told that there is nothing. */
  #close(): void {
    this.#values.length = 0;
    if (this.#state === "new") this.#state = "ended";
    else this.#end(undefined);
    this.#ending = undefined;
  }

  #end(ending: Ending<R> | undefined): void {
    if (this.#state === "ended") return;
    this.#state = "ended";
    this.#ending = ending;
    for (const reader of this.#readers.splice(0)) this.#tellEnding(reader);
    this.#hooks.onEnd();
  }

  /** The first to ask learns how it ended, later ones only that it did, as with a generator function. */
  #tellEnding({ resolve, reject }: Reader<T, R>): void {
    const ending = this.#ending;
    this.#ending = undefined;
    if (ending && "error" in ending) reject(ending.error);
    else resolve({ done: true, value: ending?.value as R });
  }
}
