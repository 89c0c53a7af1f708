/** What a session's user agent is, as people call it: `Firefox on Windows`, `Safari on iPhone`. Pure. */

// The first match counts: most browsers also claim to be those further down.
const BROWSERS = [
  [/\bEdgA?(iOS)?\//, "Edge"], [/\bOPR\/|\bOPT\//, "Opera"], [/\bSamsungBrowser\//, "Samsung Internet"], [/\bVivaldi\//, "Vivaldi"],
  [/\b(Firefox|FxiOS)\//, "Firefox"], [/\b(Headless)?Chrom(e|ium)\/|\bCriOS\//, "Chrome"], [/\bVersion\/[\d.]+ .*Safari\//, "Safari"],
];
const SYSTEMS = [
  [/\biPhone\b/, "iPhone"], [/\biPad\b/, "iPad"], [/\bAndroid\b/, "Android"], [/\bCrOS\b/, "ChromeOS"], [/\bWindows\b/, "Windows"],
  [/\bMac OS X\b|\bMacintosh\b/, "macOS"], [/\bLinux\b|\bX11\b/, "Linux"],
];

const found = (list, text) => list.find(([pattern]) => pattern.test(text))?.[1];

/** A program's own name where it is no browser: `curl`, `python-requests`. */
export function deviceName(userAgent) {
  const [browser, system] = [found(BROWSERS, userAgent), found(SYSTEMS, userAgent)];
  if (browser && system) return `${browser} on ${system}`;
  return browser ?? /^[^\s/(]{1,40}/.exec(userAgent)?.[0].replace(/^Mozilla$/, "A browser") ?? "A program";
}

/** Whether to show the icon of a phone, and not of a laptop. */
export const isPhone = (userAgent) => /\b(iPhone|iPad|Android)\b/.test(userAgent);
