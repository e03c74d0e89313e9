import { describe, expect, it } from "vitest";
import { createTokenBytes } from "./token-bytes.ts";

const text = (bytes: Uint8Array) => new TextDecoder("utf-8", { fatal: true }).decode(bytes);

describe("createTokenBytes()", () => {
  it("reads byte-level spellings", () => {
    const bytesOf = createTokenBytes({ type: "Sequence", decoders: [{ type: "ByteLevel" }] });
    expect(text(bytesOf("Ġhello"))).toBe(" hello");
    expect(text(bytesOf("Ċĉ"))).toBe("\n\t");
    expect(text(bytesOf("éĶ¦"))).toBe("锦");
    expect([...bytesOf("Ń")]).toEqual([0xad]);
    expect([...bytesOf("Āġ")]).toEqual([0, 0x7f]);
  });

  it("spells each byte by one character of its own", () => {
    const bytesOf = createTokenBytes({ type: "ByteLevel" });
    const characters = Array.from({ length: 0x144 }, (_, code) => String.fromCharCode(code));
    const bytes = characters
      .map(bytesOf)
      .filter(({ length }) => length === 1)
      .map(([byte]) => byte!);
    expect(new Set(bytes).size).toBe(256);
  });

  it("reads SentencePiece's spellings", () => {
    const bytesOf = createTokenBytes({ type: "Sequence", decoders: [{ type: "ByteFallback" }] });
    expect(text(bytesOf("▁hello▁"))).toBe(" hello ");
    expect([...bytesOf("<0x0A>")]).toEqual([10]);
    expect(text(bytesOf("é"))).toBe("é");
  });
});
