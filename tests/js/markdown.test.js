import assert from "node:assert/strict";
import { test } from "node:test";
import { parseInline } from "../../static/js/text/inline-markdown.js";
import { parse, plain } from "../../static/js/text/markdown.js";
import { cut, isEmoji } from "../../static/js/text/rich-text.js";

const MARKS = { strong: "b", emphasis: "i", code: "code", link: "a", mention: "at" };
const inline = (nodes) => nodes.map((node) => (typeof node === "string" ? node : `<${MARKS[node.type]} ${node.children ? inline(node.children) : node.text}>`)).join("");
const shape = (block) => ({
  paragraph: () => inline(block.children),
  fence: () => ({ fence: block.text, language: block.language }),
  quote: () => ({ quote: block.children.map(shape) }),
  list: () => ({ [block.ordered ? `list from ${block.start}` : "list"]: block.items.map((item) => item.map(shape)) }),
})[block.type]();
const read = (text) => parse(text).map(shape);
const line = (text) => inline(parseInline(text));

test("stars and underscores mark words, also within each other", () => {
  assert.equal(line("a **bold *word*** and _so_ on"), "a <b bold <i word>> and <i so> on");
  assert.equal(line("***both*** __too__"), "<b <i both>> <b too>");
  assert.equal(line("日本**強調**です"), "日本<b 強調>です");
});

test("what is not a pair around words stays as it was written", () => {
  for (const text of ["2*3*4 = 24", "snake_case_name", "* alone *", "**open", "a ** b ** c", "****", "¯\\_(ツ)_/¯", "\\*no\\*", "*a **b* c**x"]) {
    const found = line(text);
    if (text !== "*a **b* c**x") assert.equal(found, text);
    else assert.equal(found, "<i a **b> c**x");
  }
});

test("code is taken as it is, and a run of backticks is closed by one of its length", () => {
  assert.equal(line("`a*b*` ``x ` y`` `open"), "<code a*b*> <code x ` y> `open");
  assert.equal(line("`@ann https://a.example`"), "<code @ann https://a.example>");
});

test("only http, https and mailto become links, without the punctuation around them", () => {
  assert.equal(line("See (https://a.example/x_(y)). Or javascript:alert(1) http://b.example, ok"),
    "See (<a https://a.example/x_(y)>). Or javascript:alert(1) <a http://b.example>, ok");
  assert.equal(line("mailto:ann@a.example! mailto: mailto:x data:text/html,x vbscript:x ftp://x"), "<a mailto:ann@a.example>! mailto: mailto:x data:text/html,x vbscript:x ftp://x");
  assert.equal(line("**https://a.example/b_c_d**"), "<b <a https://a.example/b_c_d>>");
  assert.equal(line("<https://a.example/?q=\"x\">"), "<<a https://a.example/?q=>\"x\">");
  for (const text of ["xhttps://a.example", "https://", "http://[x"]) assert.equal(line(text), text);
});

test("a mention begins a word", () => {
  assert.equal(line("@ann, (@bob.b) ask ann@a.example. **@cem**"), "<at @ann>, (<at @bob.b>) ask ann@a.example. <b <at @cem>>");
  assert.equal(line("@ @@x a@b"), "@ @@x a@b");
});

test("fences, quotes and lists are blocks", () => {
  assert.deepEqual(read("before\n```js\nlet a = `1`;\n\n> no\n```\nafter"), ["before", { fence: "let a = `1`;\n\n> no", language: "js" }, "after"]);
  assert.deepEqual(read("```\nnever closed"), [{ fence: "never closed", language: null }]);
  assert.deepEqual(read("> **Ann**\n> one\n>\n> two\nyes"), [{ quote: ["<b Ann>\none", "two"] }, "yes"]);
  assert.deepEqual(read("- a\n  more\n- b\n  1. c\n  2. d\nend"), [{ list: [["a\nmore"], ["b", { "list from 1": [["c"], ["d"]] }]] }, "end"]);
  assert.deepEqual(read("3. x\n4) y"), [{ "list from 3": [["x"], ["y"]] }]);
});

test("lines that only look like blocks stay lines", () => {
  for (const text of [">_<", "-5 degrees", "1.5 l", "# no heading", "-", "<b>x</b>", "a\nb", "```inline``` fence?"]) assert.equal(parse(text).length, 1, text);
  assert.deepEqual(read(">_< -5 # x"), [">_< -5 # x"]);
  assert.deepEqual(read("a\nb"), ["a\nb"]);
});

test("a preview is one line of words, without the quote that it answers", () => {
  assert.equal(plain("> **Ann** wrote\n> something\n\nI *agree*,\nand `so` on"), "I agree, and so on");
  assert.equal(plain("> only a quote"), "only a quote");
  assert.equal(plain("- milk\n- eggs\n```\ncode  here\n```"), "milk eggs code here");
  assert.equal(plain("```\n```"), "``` ```");
  assert.equal(plain(" \n "), "");
});

test("one to three emoji are large, words are not", () => {
  for (const text of ["🎉", "👍🏽 ❤️", "👩‍👩‍👧", "🇩🇪"]) assert.ok(isEmoji(text), text);
  for (const text of ["ok 🎉", "1", "🎉🎉🎉🎉", "", "#"]) assert.ok(!isEmoji(text), text);
});

test("a text that is too long is cut at a whole character", () => {
  assert.deepEqual(["Tea", "Tea at 5", "🎉🎉🎉🎉🎉🎉", "Tea at five"].map((text) => cut(text, 5)), ["Tea", "Tea…", "🎉🎉🎉🎉…", "Tea…"]);
});

// Properties, on texts made of everything that means something here.
const PIECES = ["*", "**", "***", "_", "__", "`", "``", "```", "\n", "\n\n", "> ", "- ", "1. ", " ", "  ", "a", "word", "@ann", "@", "https://", "https://a.example/(b)", "mailto:",
  "mailto:a@b.c", "(", ")", "\\", "<b>", "&amp;", "😀", "é", "日本", "\u202e", "عربي", "~~~", "\t", "\r\n", ".", "\u0000"];

function random(seed) {
  return () => ((seed = (seed * 1664525 + 1013904223) >>> 0) / 2 ** 32);
}

const texts = Array.from({ length: 400 }, (_, seed) => {
  const next = random(seed + 1);
  return Array.from({ length: 1 + Math.floor(next() * 60) }, () => PIECES[Math.floor(next() * PIECES.length)]).join("");
});

function everyNode(blocks, visit, depth = 1) {
  for (const node of blocks) {
    visit(node, depth);
    for (const inside of [node.children, ...(node.items ?? [])]) if (inside) everyNode(inside, visit, depth + 1);
  }
}

test("nothing that was written is lost but markers, and nothing is added", () => {
  const letters = (text) => text.replace(/[*_`>~\-\s\d.)•]/g, "");
  for (const text of texts) {
    let words = "";
    everyNode(parse(text), (node) => (words += typeof node === "string" ? node : node.type === "fence" ? node.text : node.children ? "" : node.text ?? ""));
    const fenced = /```|~~~/.test(text); // the word after a fence is its language
    if (!fenced) assert.equal(letters(words), letters(text), JSON.stringify(text));
    else assert.ok(letters(text).length >= letters(words).length, JSON.stringify(text));
  }
});

test("every link is http, https or mailto, and no tree is deep", () => {
  for (const text of texts) {
    everyNode(parse(text), (node, depth) => {
      if (node.type === "link") assert.match(node.href, /^(https?:\/\/|mailto:)/i);
      assert.ok(depth <= 16, JSON.stringify(text));
    });
  }
});

test("hostile texts of 8,000 characters and of eight times that take time in proportion", () => {
  const hostile = ["*", "_", "**a ", "*a **b ", "a*", "***a", "`", "`a``b```c", "> ", "- ", "- a\n", "  - a\n", "> - ", "1. ", "```\n", "~~~", "http://", "https://a.b/)", "https://a.b/(",
    "http://[", "mailto:a@", "@a", "@a.", "((((", "\n", " \n", "   ", "😀*", "*a_", "> \n", "_*`@"];
  const time = (text) => {
    const begun = performance.now();
    plain(text);
    return performance.now() - begun;
  };
  for (const piece of hostile) {
    const [small, large] = [8_000, 64_000].map((size) => piece.repeat(Math.ceil(size / piece.length)).slice(0, size));
    const best = (text) => Math.min(time(text), time(text), time(text));
    const [one, eight] = [best(small), best(large)];
    assert.ok(eight < 32 * one + 150, `${JSON.stringify(piece)}: ${one.toFixed(1)} ms, eight times as long ${eight.toFixed(1)} ms`);
    assert.ok(one < 250, `${JSON.stringify(piece)}: ${one.toFixed(1)} ms`);
  }
});
