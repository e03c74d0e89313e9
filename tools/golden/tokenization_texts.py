"""The texts whose tokens are compared: every kind of character, space and special token that instruction data holds."""

WORDS = [
    "", "a", "A", "Hello", "Hello world", " Hello", "  Hello", "Hello ", "Hello  ", " ", "  ", "   ", "hello, world!",
    "don't", "it's 5 o'clock", "The quick brown fox jumps over the lazy dog.", "internationalization",
    "antidisestablishmentarianism", "supercalifragilisticexpialidocious", "ALL CAPS TEXT", "camelCaseIdentifier",
    "snake_case_identifier", "kebab-case-identifier", "e.g. i.e. etc.", "(parentheses) [brackets] {braces} <angles>",
    "\"quoted\" 'single' `back`", "“curly” ‘quotes’ — dash – en … ellipsis", "50% of $3.99 = €2,00 £1 ¥9",
    "x", "xx", "xxx", "a" * 40, "ab" * 40, "the the the the", "https://example.com/path?query=1&b=2#frag",
    "user.name+tag@example.co.uk", "C:\\Windows\\System32", "/usr/local/bin", "#hashtag @mention", "!!!???...;;;:::",
]

NUMBERS = [
    "0", "1", "10", "100", "1234567890", "3.14159", "-273.15", "1e-5", "0x1F", "1,000,000", "2023-07-05", "12:34:56",
    "1/2", "1 2 3 4", "²³¹", "½ ¾", "Ⅳ", "٣٤٥", "१२३", "7 + 5 = 12", "v1.1", "13B", "16:9",
]

SPACES = [
    *("x" + " " * n + "y" for n in range(2, 20)), *(" " * n for n in (4, 5, 8, 15, 16, 17, 18, 31, 32, 33)),
    " leading", "   three leading", "trailing   ", "\t", "\t\t", "a\tb", "\tindented", "a\u00a0b", "a\u2003b", "a\u3000b",
    "a\u200bb", "\ufeffBOM", "a \n b", "a\n b", "a \nb",
]

NEWLINES = ["\n", "\n\n", "\n\n\n", "a\nb", "a\n\nb", "\na", "a\n", " \n", "\n ", "\r\n", "a\r\nb", "\r", "\n    x", "line one\nline two\n"]

CODE = [
    "def f(x):\n    return x + 1\n", "for (let i = 0; i < 10; i++) { console.log(i); }", "#include <stdio.h>\nint main(void) { return 0; }",
    "SELECT * FROM t WHERE a >= 1 AND b <> 'x';", "if x:\n\tpass\n", "    if True:\n        print('hi')\n            # deep",
    "<div class=\"a\">&nbsp;</div>", "{\"key\": [1, 2.5, null, true]}", "\\begin{equation} e^{i\\pi} = -1 \\end{equation}",
    "a && b || !c", "x = y ** 2 // 3 % 4", "\"\"\"docstring\"\"\"", "// comment\n/* block */", "fn main() -> Result<(), Box<dyn Error>> {}",
]

UNICODE = [
    "café", "cafe\u0301", "naïve façade", "Ångström", "A\u030a", "ñandú", "straße", "İstanbul", "ǆ", "Привет, мир!", "Ελληνικά",
    "שלום עולם", "مرحبا بالعالم", "नमस्ते दुनिया", "สวัสดีชาวโลก", "你好,世界!", "こんにちは世界", "カタカナ", "안녕하세요", "𠮷野家", "ﬁ ligature", "①②③",
    "∀x∈ℝ: x²≥0", "≈≠≤≥±×÷√∞", "→←↑↓⇒", "░▒▓█", "▁", "a▁b", "▁▁", " ▁ ", "Ω Ω", "K K", "\u202eright to left", "a\u0000b", "\u0001\u007f", "\u0085", "\u2028",
    "😀", "😀😃😄", "👍🏽", "👨‍👩‍👧‍👦", "🇻🇳", "❤️", "🦙 llama 🦙", "text😀text", "\U0010ffff", "\ue000", "Z͑ͫ̓ͪ̂ͫ̽͏̴̙̤̞͉͚̯̞̠͍A̴̵̜̰͔ͫ͗͢",
]

SPECIAL = [
    "<s>", "</s>", "<unk>", "<s>.", "</s>.", "a</s>b", "a </s> b", "a</s>", "</s>a", "</s></s>", "</s> </s>", "</s>\n</s>", "<s>Hello</s>",
    "a<s>b", "a<unk>b", "<S>", "< s>", "<s >", "</ s>", "&lt;/s&gt;", "<<s>>", "<<unk>>", "<pad>", "[INST] hi [/INST]", "<|endoftext|>", "<0x0A>", "<0xFF>",
    "USER: Hello! ASSISTANT: Hi!</s>USER: How are you? ASSISTANT:", "Hi!</s> USER: How?", "ASSISTANT: ", "ASSISTANT:", " ASSISTANT: \nText",
    "A chat between a curious user and an artificial intelligence assistant. The assistant gives helpful, detailed, and polite answers to the user's questions. USER: Hello! ASSISTANT: Hi!</s>",
]

TEXTS = list(dict.fromkeys([*WORDS, *NUMBERS, *SPACES, *NEWLINES, *CODE, *UNICODE, *SPECIAL]))
