/** The icons: strokes on a 24 × 24 grid, in the colour of the text around them. */
const PATHS = {
  back: "M15 5l-7 7 7 7",
  bell: "M6 16.5V11a6 6 0 0 1 12 0v5.5l1.5 1.5h-15zM10 20.5h4",
  "bell-off": "M8.3 6.3A6 6 0 0 1 18 11v4.7M6 11v5.5L4.5 18H17M10 20.5h4M4 4l16 16",
  check: "M5 12.5l4.5 4.5L19 7.5",
  checks: "M2.5 12.5L7 17l9-9.5M11.5 15.5L13 17l8.5-9.5",
  clock: "M12 4a8 8 0 1 0 0 16 8 8 0 0 0 0-16zM12 8v4.5l3 1.5",
  close: "M6 6l12 12M18 6L6 18",
  compose: "M12 20h8M4 20l1-4L16.5 4.5a2.1 2.1 0 0 1 3 3L8 19z",
  copy: "M9 8.5h10v11H9zM15 8.5v-4H5v11h4",
  down: "M12 5v14M6 13l6 6 6-6",
  edit: "M4 20l1-4L16.5 4.5a2.1 2.1 0 0 1 3 3L8 19zM14.5 6.5l3 3",
  find: "M4 6h16M4 11h6.5M4 16h5M15.5 11.5a3.5 3.5 0 1 0 0 7 3.5 3.5 0 0 0 0-7zM18 17.5l3 3",
  info: "M12 4a8 8 0 1 0 0 16 8 8 0 0 0 0-16zM12 11.5V16M12 8.2v.1",
  laptop: "M5.5 5.5h13v10h-13zM2.5 18.5h19",
  leave: "M14 4H6a1 1 0 0 0-1 1v14a1 1 0 0 0 1 1h8M10 12h10M16.5 8.5L20 12l-3.5 3.5",
  file: "M7 3h7l4 4v14H7zM14 3v4h4",
  link: "M10 14a4 4 0 0 0 6 .4l2.8-2.8a4 4 0 0 0-5.7-5.7L12 7M14 10a4 4 0 0 0-6-.4l-2.8 2.8a4 4 0 0 0 5.7 5.7L12 17",
  more: "M5.5 12h.01M12 12h.01M18.5 12h.01",
  people: "M9 11.5a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7zM2.5 19.5c.5-3.5 3-5.5 6.5-5.5s6 2 6.5 5.5M16 5a3.5 3.5 0 0 1 0 6.5M18 14.5c2 .7 3.2 2.4 3.5 5",
  phone: "M7.5 3.5h9v17h-9zM11 17.5h2",
  plus: "M12 5v14M5 12h14",
  reply: "M10 5L4 11l6 6M4.5 11H14a6 6 0 0 1 6 6v2",
  search: "M10.5 4.5a6 6 0 1 0 0 12 6 6 0 0 0 0-12zM15 15l5 5",
  send: "M12 19V5M5.5 11.5L12 5l6.5 6.5",
  trash: "M4.5 7h15M9.5 7V4.5h5V7M6.5 7l.8 12.5h9.4L17.5 7M10 11v5M14 11v5",
  up: "M12 19V5M6 11l6-6 6 6",
  warning: "M12 4.5L2.8 20h18.4zM12 10v4.5M12 17.2v.1",
};

const SVG = "http://www.w3.org/2000/svg";

export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("class", `icon icon-${name}`);
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", PATHS[name]);
  svg.append(path);
  return svg;
}

/** Puts the icons into the server-rendered elements that name one in `data-icon`. */
export function placeIcons(root) {
  for (const element of root.querySelectorAll("[data-icon]")) element.prepend(icon(element.dataset.icon));
}
