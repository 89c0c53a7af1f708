import assert from "node:assert/strict";
import { test } from "node:test";
import { parse } from "../../static/js/text/markdown.js";
import { quoteOf } from "../../static/js/text/quote.js";

test("an answer begins with who said what", () => {
  assert.equal(quoteOf("Ann", "one\n\ntwo"), "> **Ann**\n> one\n>\n> two\n\n");
});

test("what was quoted before is left out, unless it is all there is", () => {
  assert.equal(quoteOf("Ann", "> **Bob**\n> before\n\nafter"), "> **Ann**\n> after\n\n");
  assert.equal(quoteOf("Ann", "> only"), "> **Ann**\n> > only\n\n");
});

test("a long message is cut, and a fence that is cut is closed", () => {
  const long = quoteOf("Ann", "😀".repeat(400));
  assert.equal([...long].filter((letter) => letter === "😀").length, 280);
  assert.match(long, / …\n\n$/);
  const [quote] = parse(`${quoteOf("Ann", `\`\`\`\n${"line\n".repeat(9)}\`\`\``)}answer`);
  assert.equal(quote.type, "quote");
  assert.equal(quote.children.at(-1).type, "fence");
});
