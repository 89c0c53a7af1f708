/** Times as people read them. Times of the server are ISO 8601 strings; `now` is a Date so that tests can choose it. */
const format = (options) => new Intl.DateTimeFormat("en-GB", options);
const CLOCK = format({ hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const WEEKDAY = format({ weekday: "long" });
const SHORT_WEEKDAY = format({ weekday: "short" });
const DAY = format({ weekday: "long", day: "numeric", month: "long" });
const DAY_OF_YEAR = format({ day: "numeric", month: "long", year: "numeric" });
const SHORT_DAY = format({ day: "numeric", month: "short" });
const SHORT_DAY_OF_YEAR = format({ day: "numeric", month: "short", year: "2-digit" });
const FULL = format({ weekday: "long", day: "numeric", month: "long", year: "numeric", hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });

const midnight = (date) => new Date(date.getFullYear(), date.getMonth(), date.getDate());
const daysAgo = (date, now) => Math.round((midnight(now) - midnight(date)) / 86_400_000);

/** `14:02` */
export const clockTime = (at) => CLOCK.format(new Date(at));
/** For tooltips and screen readers: `Monday 23 November 2026 at 14:02:07`. */
export const fullTime = (at) => FULL.format(new Date(at));

/** A key that is the same for all times of one local day. */
export const dayKey = (at) => midnight(new Date(at)).getTime();

/** `Today`, `Yesterday`, `Monday`, `Monday 3 August`, `3 August 2025` */
export function dayLabel(at, now = new Date()) {
  const date = new Date(at);
  const days = daysAgo(date, now);
  if (days === 0) return "Today";
  if (days === 1) return "Yesterday";
  if (days > 1 && days < 7) return WEEKDAY.format(date);
  return (date.getFullYear() === now.getFullYear() ? DAY : DAY_OF_YEAR).format(date);
}

/** For the chat list: `14:02`, `Yesterday`, `Mon`, `3 Aug`, `3 Aug 25` */
export function shortTime(at, now = new Date()) {
  const date = new Date(at);
  const days = daysAgo(date, now);
  if (days <= 0) return CLOCK.format(date);
  if (days === 1) return "Yesterday";
  if (days < 7) return SHORT_WEEKDAY.format(date);
  return (date.getFullYear() === now.getFullYear() ? SHORT_DAY : SHORT_DAY_OF_YEAR).format(date);
}

/** Within a sentence: `today`, `yesterday`, `Monday 3 August` */
export const dayWithin = (at, now = new Date()) => dayLabel(at, now).replace(/^(Today|Yesterday)$/, (day) => day.toLowerCase());

/** `today at 14:02`, `yesterday at 14:02`, `Monday 3 August at 14:02` */
export const atTime = (at, now = new Date()) => `${dayWithin(at, now)} at ${clockTime(at)}`;

export const plural = (count, one, many = `${one}s`) => `${count} ${count === 1 ? one : many}`;
