/** Bytes of JSON that mean something outside a text. */
const [QUOTE, BACKSLASH, NEWLINE, COMMA] = [0x22, 0x5c, 0x0a, 0x2c];
const [OPEN_LIST, CLOSE_LIST, OPEN_OBJECT, CLOSE_OBJECT] = [0x5b, 0x5d, 0x7b, 0x7d];

/** One element of a list: its text and the line it starts on. */
export interface ListElement {
  bytes: Buffer;
  line: number;
}

/** Something that no list can have, and its line. */
export class NoList extends Error {
  readonly line: number;
  constructor(message: string, line: number) {
    super(message);
    this.line = line;
  }
}

/**
 * Cuts the bytes of a JSON list into its elements as they come, without looking into them: whoever parses an element says whether it
 * is JSON. An element is held until it is complete, and {@link pendingBytes} says how much that is.
 */
export class ListSplitter {
  #state: 'before' | 'element' | 'inside' | 'after' | 'end' = 'before';
  #line = 1;
  /** Line of the last byte that was no white space. */
  #lastLine = 1;
  #depth = 0;
  #inText = false;
  #escaped = false;
  /** A comma was read: another element must come. */
  #comma = false;
  #elementLine = 1;
  #parts: Buffer[] = [];
  pendingBytes = 0;

  /** The elements that end in these bytes. Throws {@link NoList}. */
  *push(chunk: Buffer): Generator<ListElement> {
    let begin = this.#state === 'inside' ? 0 : -1;
    for (let i = 0; i < chunk.length; i++) {
      const byte = chunk[i]!;
      if (byte === NEWLINE) this.#line += 1;
      if (this.#state === 'inside') {
        if (this.#inText) {
          if (this.#escaped) this.#escaped = false;
          else if (byte === BACKSLASH) this.#escaped = true;
          else if (byte === QUOTE) this.#inText = false;
          continue;
        }
        if (byte === QUOTE) this.#inText = true;
        else if (byte === OPEN_LIST || byte === OPEN_OBJECT) this.#depth += 1;
        else if (this.#depth > 0) {
          if (byte === CLOSE_LIST || byte === CLOSE_OBJECT) this.#depth -= 1;
        } else if (byte === COMMA || byte === CLOSE_LIST) {
          yield this.#complete(chunk.subarray(begin, i));
          begin = -1;
          this.#comma = byte === COMMA;
          this.#state = byte === COMMA ? 'element' : 'end';
        }
        if (!isSpace(byte)) this.#lastLine = this.#line;
        continue;
      }
      if (isSpace(byte)) continue;
      this.#lastLine = this.#line;
      if (this.#state === 'before') {
        if (byte !== OPEN_LIST) throw new NoList('must hold a list of tasks', this.#line);
        this.#state = 'element';
      } else if (this.#state === 'end') {
        throw new NoList('not JSON: something follows the end of the list', this.#line);
      } else if (byte === CLOSE_LIST) {
        if (this.#comma) throw new NoList('not JSON: a comma before the end of the list', this.#line);
        this.#state = 'end';
      } else if (byte === COMMA) {
        throw new NoList('not JSON: a comma without an element before it', this.#line);
      } else {
        begin = i;
        this.#elementLine = this.#line;
        this.#state = 'inside';
        this.#depth = byte === OPEN_LIST || byte === OPEN_OBJECT ? 1 : 0;
        this.#inText = byte === QUOTE;
      }
    }
    if (begin < 0) return;
    this.#parts.push(chunk.subarray(begin));
    this.pendingBytes += chunk.length - begin;
  }

  /** Nothing comes any more. Throws {@link NoList} when the list has no end. */
  end(): void {
    if (this.#state === 'before') throw new NoList('not JSON: it is empty', this.#line);
    if (this.#state !== 'end') throw new NoList('not JSON: it ends before the list does', this.#lastLine);
  }

  /** Line of the element that is being read. */
  get line(): number {
    return this.#elementLine;
  }

  #complete(last: Buffer): ListElement {
    const bytes = this.#parts.length === 0 ? last : Buffer.concat([...this.#parts, last]);
    this.#parts = [];
    this.pendingBytes = 0;
    return { bytes, line: this.#elementLine };
  }
}

function isSpace(byte: number): boolean {
  return byte === 0x20 || byte === NEWLINE || byte === 0x0d || byte === 0x09;
}
