/** Where the lanes are: the instances that commit above, the channels between, the instances that write to sockets below. Pure. */

export const HEADING = 26;
export const LANE = 22;
export const PX_PER_SECOND = 42;
export const DELAY_MS = 350; // how far the picture lags behind the present, so that late points still slide in

/** `[{kind, id, y, height}]`: `heading`, `commit`, `channel` or `sockets`, from above. */
export function lanesOf(instances, channels) {
  const rows = [
    ["heading", "Committed by"], ...instances.map((name) => ["commit", name]),
    ["heading", "Published on"], ...channels.map((name) => ["channel", name]),
    ["heading", "Written to the sockets of"], ...instances.map((name) => ["sockets", name]),
  ];
  let y = 0;
  return rows.map(([kind, id]) => {
    const height = kind === "heading" ? HEADING : LANE;
    y += height;
    return { kind, id, y: y - height, height };
  });
}

export const heightOf = (lanes) => lanes.reduce((total, { height }) => total + height, 0);

/** The lane of a point as `kind/id`; null for one that appears only in the list. */
export function laneOf({ step, instance, channel }) {
  if (step === "committed") return `commit/${instance}`;
  if (step === "published" || step === "untaken") return `channel/${channel}`;
  if (["received", "delivered", "pulled", "replayed", "doubled", "gap"].includes(step)) return `sockets/${instance}`;
  return null;
}

/** How a point is drawn: its colour's name and its radius. */
export function lookOf({ step, n }) {
  if (step === "received") return { paint: "soft", radius: 1.5 };
  if (step === "untaken" || step === "gap") return { paint: "bad", radius: 3 };
  if (step === "doubled") return { paint: "warn", radius: 2 };
  if (step === "pulled" || step === "replayed") return { paint: "good", radius: 4 };
  return { paint: "accent", radius: step === "delivered" ? Math.min(8, 2.5 + Math.sqrt(n) / 2) : 2.5 };
}

/** Of these points with `x`, `y` and `timeline`, the timeline nearest to a place, within `reach` pixels. */
export function nearest(dots, x, y, reach = 16) {
  let best = null;
  let least = reach ** 2;
  for (const dot of dots) {
    const distance = (dot.x - x) ** 2 + ((dot.y - y) / 2) ** 2; // a thread is upright, so distance beside it counts for more than distance along it
    if (dot.timeline && distance < least) [best, least] = [dot.timeline, distance];
  }
  return best;
}
