import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

const source = readFileSync(new URL("../../static/css/ui/tokens.css", import.meta.url), "utf8");
const tokens = Object.fromEntries([...source.matchAll(/--([\w-]+): light-dark\((#\w{6}), (#\w{6})\)/g)].map(([, name, light, dark]) => [name, { light, dark }]));
for (const [, name, colour] of source.matchAll(/--([\w-]+): (#\w{6});/g)) tokens[name] = { light: colour, dark: colour };

function luminance(hex) {
  const [r, g, b] = [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16) / 255).map((value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

function contrast(a, b) {
  const [light, dark] = [luminance(a), luminance(b)].sort((x, y) => y - x);
  return (light + 0.05) / (dark + 0.05);
}

const TEXT = {
  ink: ["ground", "surface", "raised", "hover", "selected", "sunken", "segment", "mark"],
  "ink-soft": ["ground", "surface", "raised", "hover", "selected", "sunken", "skeleton"],
  "ink-own": ["own"],
  "ink-own-soft": ["own"],
  accent: ["ground", "surface", "raised", "hover", "own", "selected"],
  "on-accent": ["accent", "accent-strong"],
  danger: ["ground", "surface", "raised", "own", "selected"],
  "on-danger": ["danger-fill"],
  "warning-ink": ["warning-ground"],
  "good-ink": ["good-ground"],
  "notice-ink": ["notice-ground"],
  "on-face": [0, 1, 2, 3, 4, 5, 6, 7].map((number) => `face-${number}`),
};

for (const theme of ["light", "dark"]) {
  test(`text has a contrast of 4.5 or more everywhere in the ${theme} theme`, () => {
    for (const [ink, grounds] of Object.entries(TEXT)) {
      for (const ground of grounds) {
        const ratio = contrast(tokens[ink][theme], tokens[ground][theme]);
        assert.ok(ratio >= 4.5, `${ink} on ${ground}: ${ratio.toFixed(2)}`);
      }
    }
  });

  test(`the edges of fields have a contrast of 3 or more in the ${theme} theme`, () => {
    assert.ok(contrast(tokens.edge[theme], tokens.surface[theme]) >= 3);
  });
}
