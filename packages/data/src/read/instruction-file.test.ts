import { truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { type ColumnSource, parquetWriteBuffer } from "hyparquet-writer";
import { describe, expect, it } from "vitest";
import type { DataError } from "../errors.ts";
import { manyExamples } from "../fixtures/examples.ts";
import { temporaryFolder } from "../fixtures/temporary-folder.ts";
import type { InstructionExample } from "../instruction-example.ts";
import { readFlanMiniJson, readInstructionFile, readJsonLines, readParquet } from "./instruction-file.ts";

const folder = temporaryFolder();
const examples = manyExamples(500);

function write(name: string, content: string | Uint8Array): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

const jsonOf = (rows: readonly unknown[]): string => JSON.stringify(rows, null, 1);
const linesOf = (rows: readonly unknown[]): string => rows.map((row) => `${JSON.stringify(row)}\n`).join("");

const LIST_OF_MESSAGES = [
  { name: "root", num_children: 3 },
  { name: "id", type: "BYTE_ARRAY", converted_type: "UTF8", repetition_type: "REQUIRED" },
  { name: "source", type: "BYTE_ARRAY", converted_type: "UTF8", repetition_type: "REQUIRED" },
  { name: "conversations", repetition_type: "OPTIONAL", num_children: 1, converted_type: "LIST" },
  { name: "list", repetition_type: "REPEATED", num_children: 1 },
  { name: "element", repetition_type: "OPTIONAL", num_children: 2 },
  { name: "from", type: "BYTE_ARRAY", converted_type: "UTF8", repetition_type: "OPTIONAL" },
  { name: "value", type: "BYTE_ARRAY", converted_type: "UTF8", repetition_type: "OPTIONAL" },
] as const;

function parquetOf(rows: readonly InstructionExample[]): Uint8Array {
  const columnData: ColumnSource[] = (["id", "source", "conversations"] as const).map((name) => ({
    name,
    data: rows.map((row) => row[name]),
  }));
  return new Uint8Array(parquetWriteBuffer({ columnData, schema: [...LIST_OF_MESSAGES], rowGroupSize: 64 }));
}

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const item of items) list.push(item);
  return list;
}

async function failureOf(items: AsyncIterable<unknown>): Promise<DataError> {
  return all(items).then(
    () => expect.unreachable("the file was read without an error"),
    (error: DataError) => error,
  );
}

describe("readInstructionFile()", () => {
  it.each([
    ["rows.json", jsonOf(examples)],
    ["rows.jsonl", linesOf(examples)],
    ["rows.ndjson", linesOf(examples).trimEnd()],
    ["rows.json.gz", gzipSync(jsonOf(examples))],
    ["rows.jsonl.gz", gzipSync(linesOf(examples))],
    ["rows.parquet", parquetOf(examples)],
  ])("reads the same rows from %s", async (name, content) => {
    expect(await all(readInstructionFile(write(name, content)))).toEqual(examples);
  });

  it("refuses an extension it has no reader for", () => {
    expect(() => readInstructionFile("flan_mini.json.zip")).toThrow(
      expect.objectContaining({ code: "DATA_FORMAT_UNKNOWN" }),
    );
  });

  it("says when a file does not exist, in each format", async () => {
    for (const name of ["none.json", "none.jsonl", "none.json.gz", "none.parquet"]) {
      expect((await failureOf(readInstructionFile(join(folder, name)))).code).toBe("DATA_FILE_UNREADABLE");
    }
  });

  it("says when compressed data ends early", async () => {
    const path = write("cut.jsonl.gz", gzipSync(linesOf(examples)).subarray(0, 2_000));
    expect((await failureOf(readInstructionFile(path))).code).toBe("DATA_FILE_TRUNCATED");
  });

  it("closes the file when the reader stops early", async () => {
    for (const name of ["early.json", "early.jsonl"]) {
      const path = write(name, name.endsWith("l") ? linesOf(examples) : jsonOf(examples));
      for await (const example of readInstructionFile(path)) {
        expect(example).toEqual(examples[0]);
        break;
      }
    }
  });
});

describe("readFlanMiniJson()", () => {
  it("names the record and the byte where the text is malformed", async () => {
    const text = `[${JSON.stringify(examples[0])}, ${JSON.stringify(examples[1])}, {"id": "é", "source" "x"}]`;
    const error = await failureOf(readFlanMiniJson(write("malformed.json", text)));
    const byteOffset = Buffer.byteLength(text.slice(0, text.indexOf('"x"')));
    expect(error).toMatchObject({ code: "DATA_JSON_MALFORMED", index: 2, byteOffset });
  });

  it("finds a malformed record far into the file", async () => {
    const text = jsonOf(manyExamples(4_000)).replace(
      '"id": "identity_flan_3210"',
      '"id": identity_flan_3210',
    );
    const error = await failureOf(readFlanMiniJson(write("far.json", text)));
    expect(error).toMatchObject({ code: "DATA_JSON_MALFORMED", index: 3210 });
    expect(
      Buffer.from(text)
        .subarray(error.byteOffset!, error.byteOffset! + 13)
        .toString(),
    ).toBe("identity_flan");
  });

  it("says where the text of a truncated file ends", async () => {
    const path = write("truncated.json", jsonOf(examples));
    truncateSync(path, 10_000);
    const error = await failureOf(readFlanMiniJson(path));
    expect(error).toMatchObject({ code: "DATA_FILE_TRUNCATED", byteOffset: 10_000 });
    expect(error.message).toContain(`inside record ${error.index}`);
  });

  it("says that an array cut between two records is truncated", async () => {
    const path = write("between.json", `[${JSON.stringify(examples[0])}`);
    expect(await failureOf(readFlanMiniJson(path))).toMatchObject({ code: "DATA_FILE_TRUNCATED", index: 1 });
  });

  it("says that an empty file is truncated", async () => {
    expect((await failureOf(readFlanMiniJson(write("empty.json", "")))).code).toBe("DATA_FILE_TRUNCATED");
  });

  it("refuses JSON Lines under the name of an array", async () => {
    expect((await failureOf(readFlanMiniJson(write("lines.json", linesOf(examples))))).code).toBe(
      "DATA_JSON_MALFORMED",
    );
  });

  it("refuses text after the array", async () => {
    expect((await failureOf(readFlanMiniJson(write("after.json", "[] []")))).code).toBe(
      "DATA_JSON_MALFORMED",
    );
  });

  it("refuses bytes that are not UTF-8", async () => {
    const bytes = Buffer.concat([Buffer.from('[{"id": "'), Buffer.from([0xff]), Buffer.from('"}]')]);
    expect(await failureOf(readFlanMiniJson(write("latin.json", bytes)))).toMatchObject({ byteOffset: 9 });
  });

  it("reads an empty array and a byte order mark", async () => {
    expect(await all(readFlanMiniJson(write("none.json", "\uFEFF [ ]\n")))).toEqual([]);
  });

  it("names the record that has an unknown role", async () => {
    const system = { ...examples[0], conversations: [{ from: "system", value: "Be kind." }] };
    const error = await failureOf(readFlanMiniJson(write("role.json", jsonOf([examples[0], system]))));
    expect(error).toMatchObject({ code: "DATA_RECORD_MALFORMED", index: 1 });
    expect(error.message).toContain('expected "human" or "gpt" in "conversations[0]".from, got "system"');
  });

  it("hands malformed records over and goes on, when asked to", async () => {
    const skipped: DataError[] = [];
    const path = write("skip.json", jsonOf([7, examples[0], { id: "x" }]));
    const rows = await all(readFlanMiniJson(path, { onMalformed: (error) => skipped.push(error) }));
    expect(rows).toEqual([examples[0]]);
    expect(skipped.map(({ index }) => index)).toEqual([0, 2]);
  });

  it("gives records without names a default source and an id from it", async () => {
    const path = write("nameless.json", jsonOf([{ conversations: [] }, { id: "a", conversations: [] }]));
    expect(await all(readFlanMiniJson(path, { defaultSource: "sharegpt" }))).toEqual([
      { id: "sharegpt_0", source: "sharegpt", conversations: [] },
      { id: "a", source: "sharegpt", conversations: [] },
    ]);
  });
});

describe("readJsonLines()", () => {
  it("names the line that is no JSON", async () => {
    const path = write("bad.jsonl", `${JSON.stringify(examples[0])}\n\n{"id": }\n`);
    expect(await failureOf(readJsonLines(path))).toMatchObject({
      code: "DATA_JSON_MALFORMED",
      line: 3,
      index: 1,
    });
  });

  it("says that a last line cut in the middle is truncated", async () => {
    const path = write("cut.jsonl", linesOf(examples).slice(0, -20));
    expect(await failureOf(readJsonLines(path))).toMatchObject({ code: "DATA_FILE_TRUNCATED", line: 500 });
  });

  it("names the line of a record that is no instruction row", async () => {
    expect((await failureOf(readJsonLines(write("record.jsonl", "{}\n")))).message).toContain(
      "record 0 (line 1)",
    );
  });

  it("reads lines that end in carriage return and newline", async () => {
    expect(await all(readJsonLines(write("crlf.jsonl", linesOf(examples).replaceAll("\n", "\r\n"))))).toEqual(
      examples,
    );
  });

  it("refuses bytes that are not UTF-8", async () => {
    const path = write("latin.jsonl", Buffer.from([0x22, 0xff, 0x22, 0x0a]));
    expect((await failureOf(readJsonLines(path))).message).toContain("not valid UTF-8");
  });
});

describe("readParquet()", () => {
  it("reads conversations written as JSON text", async () => {
    const columnData: ColumnSource[] = [
      { name: "id", data: examples.map(({ id }) => id), type: "STRING" },
      { name: "source", data: examples.map(({ source }) => source), type: "STRING" },
      {
        name: "conversations",
        data: examples.map((row) => JSON.stringify(row.conversations)),
        type: "STRING",
      },
    ];
    const path = write("text.parquet", new Uint8Array(parquetWriteBuffer({ columnData })));
    expect(await all(readParquet(path))).toEqual(examples);
  });

  it("names the row that is no instruction row", async () => {
    const columnData: ColumnSource[] = [{ name: "id", data: ["a", "b"], type: "STRING" }];
    const path = write("columns.parquet", new Uint8Array(parquetWriteBuffer({ columnData })));
    expect(await failureOf(readParquet(path))).toMatchObject({ code: "DATA_RECORD_MALFORMED", index: 0 });
  });

  it("says when a file is cut", async () => {
    const path = write("cut.parquet", parquetOf(examples).subarray(0, 5_000));
    expect((await failureOf(readParquet(path))).code).toBe("DATA_PARQUET_MALFORMED");
  });
});
