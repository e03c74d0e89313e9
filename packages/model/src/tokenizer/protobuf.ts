// Reads protocol buffers field by field, without a schema: enough for one small message. Writes none.

/** One field of a message, as it lies on the wire. */
export interface WireField {
  readonly number: number;
  /** Low 32 bits of a variable-length integer as a signed number, which is what int32, enum and bool hold; else 0. */
  readonly integer: number;
  /** The bytes of a string, message or fixed-size number; else none. */
  readonly bytes: Uint8Array;
}

const NOTHING = new Uint8Array(0);

/**
 * The fields of the message in `bytes`, in their order.
 *
 * @throws RangeError when the bytes are no message
 */
export function* wireFields(bytes: Uint8Array): Generator<WireField, void, void> {
  let at = 0;
  const varint = (): number => {
    let value = 0;
    for (let shift = 0; shift < 70; shift += 7) {
      if (at >= bytes.length) throw new RangeError("the message ends inside a number");
      const byte = bytes[at++]!;
      if (shift < 32) value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    throw new RangeError("a number is longer than 10 bytes");
  };
  const take = (length: number): Uint8Array => {
    if (length < 0 || at + length > bytes.length) throw new RangeError("the message ends inside a field");
    at += length;
    return bytes.subarray(at - length, at);
  };
  while (at < bytes.length) {
    const tag = varint();
    const field = { number: tag >>> 3, integer: 0, bytes: NOTHING };
    const wireType = tag & 7;
    if (field.number === 0) throw new RangeError("a field has the number 0");
    if (wireType === 0) yield { ...field, integer: varint() };
    else if (wireType === 1) yield { ...field, bytes: take(8) };
    else if (wireType === 2) yield { ...field, bytes: take(varint()) };
    else if (wireType === 5) yield { ...field, bytes: take(4) };
    else throw new RangeError(`a field is of wire type ${wireType}`);
  }
}
