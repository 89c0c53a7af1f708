/** Draws the lanes: time from left to right, a thread for each event, dots where something happened to it. */
import { DELAY_MS, heightOf, laneOf, lanesOf, lookOf, nearest, PX_PER_SECOND } from "./lane-layout.js";
import { fill, h } from "../ui/dom.js";

const CROWD = 3_000; // with more dots on the screen, no threads are drawn
const STILL_MS = 1_000; // between two pictures where the user prefers reduced motion
const ENDS = ["received", "delivered", "pulled"];
const PAINTS = ["soft", "accent", "warn", "good", "bad"]; // the later ones are drawn above the earlier ones
const TURN = 2 * Math.PI;

export function mountLanes({ model, select, selected }) {
  const canvas = document.querySelector("#lanes-canvas");
  const labels = document.querySelector("#lanes-labels");
  const context = canvas.getContext("2d");
  const still = matchMedia("(prefers-reduced-motion: reduce)");
  const paints = {};
  let lanes = [];
  let places = new Map();
  const drawn = []; // the points of the last picture
  const timelines = []; // and their timelines
  let hovered = null;
  let frozenAt = null;
  let shape = "";
  let drawnAt = 0;
  let picture = 0;
  let size = { width: 0, height: 0 };

  function readPaints() {
    for (const probe of document.querySelectorAll("[data-paint]")) paints[probe.dataset.paint] = getComputedStyle(probe).color;
  }

  function layOut() {
    const names = model.names();
    const next = JSON.stringify([names, model.channels]);
    if (next === shape) return;
    shape = next;
    lanes = lanesOf(names, model.channels.map(({ name }) => name));
    places = new Map(lanes.map((lane) => [`${lane.kind}/${lane.id}`, lane.y + lane.height / 2]));
    fill(labels, lanes.map(({ kind, id }) => h("li", { class: kind === "heading" ? "lane-heading" : "lane-label" }, h("span", {}, id))));
    resize();
  }

  function resize() {
    const ratio = Math.min(devicePixelRatio || 1, 2);
    size = { width: canvas.parentElement.clientWidth, height: heightOf(lanes) };
    canvas.width = size.width * ratio;
    canvas.height = size.height * ratio;
    canvas.style.setProperty("height", `${size.height}px`);
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    drawnAt = 0;
  }

  /** Collects the points in view, newest first, and gives each its place. It runs for every picture, so it allocates nothing. */
  function place(now) {
    drawn.length = timelines.length = 0;
    picture += 1;
    for (let index = model.points.length - 1; index >= 0; index -= 1) {
      const point = model.points[index];
      point.x = size.width - ((now - point.at) * PX_PER_SECOND) / 1000;
      if (point.x < -3 * PX_PER_SECOND) break; // the points are nearly in the order of their times
      point.lane ??= laneOf(point) ?? "";
      point.y = places.get(point.lane);
      if (point.y === undefined || point.x > size.width + 10) continue;
      drawn.push(point);
      const { timeline } = point;
      if (!timeline) continue;
      if (timeline.picture !== picture) {
        timeline.picture = picture;
        timeline.drawn = [];
        timelines.push(timeline);
      }
      timeline.drawn.push(point);
    }
  }

  function drawGround() {
    context.clearRect(0, 0, size.width, size.height);
    context.strokeStyle = paints.line;
    context.lineWidth = 1;
    context.beginPath();
    for (const { kind, y, height } of lanes) {
      if (kind === "heading") continue;
      context.moveTo(0, Math.round(y + height / 2) + 0.5);
      context.lineTo(size.width, Math.round(y + height / 2) + 0.5);
    }
    context.stroke();
  }

  /** From the commit to its own channel, and from there to each instance that wrote it. */
  function thread(timeline) {
    const commit = timeline.drawn.find(({ step }) => step === "committed");
    const channel = timeline.drawn.find(({ step, channel: name }) => step === "published" && name === timeline.channel);
    if (commit && channel) curve(commit, channel);
    for (const point of timeline.drawn) {
      const from = ENDS.includes(point.step) && point.channel === timeline.channel ? (channel ?? commit) : null;
      if (from) curve(from, point);
    }
  }

  function curve(from, to) {
    const middle = (from.y + to.y) / 2;
    context.moveTo(from.x, from.y);
    context.bezierCurveTo(from.x, middle, to.x, middle, to.x, to.y);
  }

  function drawThreads(chosen) {
    if (drawn.length < CROWD) {
      context.strokeStyle = paints.thread;
      context.lineWidth = 1;
      context.beginPath();
      for (const timeline of timelines) if (!chosen.includes(timeline)) thread(timeline);
      context.stroke();
    }
    context.strokeStyle = paints.accent;
    context.lineWidth = 2;
    for (const timeline of chosen) {
      if (timeline.picture !== picture) continue;
      context.beginPath();
      thread(timeline);
      context.stroke();
    }
  }

  function drawDots(chosen) {
    for (const paint of PAINTS) {
      context.fillStyle = paints[paint];
      context.beginPath();
      for (const point of drawn) {
        point.look ??= lookOf(point);
        if (point.look.paint !== paint) continue;
        const radius = point.look.radius + (point.timeline && chosen.includes(point.timeline) ? 1.5 : 0);
        context.moveTo(point.x + radius, point.y);
        context.arc(point.x, point.y, radius, 0, TURN);
      }
      context.fill();
      if (paint === "good") ring();
    }
  }

  /** A repair is a ring, so that it differs from the others in more than colour. */
  function ring() {
    context.fillStyle = paints.ground;
    context.beginPath();
    for (const { x, y, look } of drawn) {
      if (look.paint !== "good") continue;
      context.moveTo(x + 2, y);
      context.arc(x, y, 2, 0, TURN);
    }
    context.fill();
  }

  function draw(time) {
    requestAnimationFrame(draw);
    layOut();
    if (!size.width || (still.matches && time - drawnAt < STILL_MS)) return;
    drawnAt = time;
    const now = frozenAt ?? model.serverTime(Date.now()) - DELAY_MS;
    const chosen = [selected(), hovered].filter(Boolean);
    place(now);
    drawGround();
    drawThreads(chosen);
    drawDots(chosen);
  }

  const at = (event) => nearest(drawn, event.offsetX, event.offsetY, event.pointerType === "touch" ? 28 : 16);
  canvas.addEventListener("pointermove", (event) => {
    hovered = event.pointerType === "touch" ? null : at(event);
    canvas.classList.toggle("is-near", Boolean(hovered));
  });
  canvas.addEventListener("pointerleave", () => (hovered = null));
  canvas.addEventListener("click", (event) => {
    const timeline = at(event);
    if (timeline) select(timeline);
  });
  new ResizeObserver(resize).observe(canvas.parentElement);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", readPaints);
  new MutationObserver(readPaints).observe(document.documentElement, { attributeFilter: ["data-theme"] });
  readPaints();
  requestAnimationFrame(draw);

  return {
    /** Stops the lanes where they are, or lets them follow the present again. */
    freeze(frozen) {
      frozenAt = frozen ? model.serverTime(Date.now()) - DELAY_MS : null;
    },
  };
}
