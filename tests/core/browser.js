// What a reader sees of this page, told to the page around it.
for (const each of document.querySelectorAll("details")) each.open = true;

const every = (selector, inside = document) => [...inside.querySelectorAll(selector)];
const shown = (element) => element.checkVisibility() && element.getClientRects().length > 0;

const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
canvas.canvas.width = canvas.canvas.height = 1;

function painted(colours) {
  for (const colour of colours) {
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
  }
  return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3);
}

function luminance(rgb) {
  const [r, g, b] = rgb.map((value) => {
    const share = value / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

// WCAG 2.2, contrast ratio.
function contrast(element) {
  const behind = [];
  for (let each = element; each; each = each.parentElement) {
    behind.unshift(getComputedStyle(each).backgroundColor);
  }
  const style = getComputedStyle(element);
  const ink = element.closest("svg") ? style.fill : style.color;
  const ground = luminance(painted(["white", ...behind]));
  const text = luminance(painted(["white", ...behind, ink]));
  return (Math.max(ground, text) + 0.05) / (Math.min(ground, text) + 0.05);
}

function named(picture) {
  const ids = (picture.getAttribute("aria-labelledby") || "").split(" ").filter(Boolean);
  const texts = ids.map((id) => document.getElementById(id)?.textContent.trim() || "");
  return picture.getAttribute("role") === "img" || picture.alt
    ? [picture.alt, ...texts].filter(Boolean).join(": ")
    : "";
}

function meet(one, other) {
  const [a, b] = [one.getBoundingClientRect(), other.getBoundingClientRect()];
  // A line of text is higher than its letters.
  const up = (rect) => rect.height / 6;
  return a.left < b.right && b.left < a.right
    && a.top + up(a) < b.bottom - up(b) && b.top + up(b) < a.bottom - up(a);
}

function pairs(texts) {
  return texts.flatMap((one, i) =>
    texts.slice(i + 1).filter((other) => meet(one, other))
      .map((other) => `${one.textContent} / ${other.textContent}`));
}

function outside(svg) {
  const frame = svg.getBoundingClientRect();
  return every("text", svg).filter((text) => {
    const rect = text.getBoundingClientRect();
    return rect.left < frame.left - 1 || rect.right > frame.right + 1;
  }).map((text) => text.textContent);
}

const view = document.documentElement.clientWidth;
const pictures = every("svg, img");
const drawings = pictures.filter((each) => each.tagName === "svg" && shown(each));
const written = every("body *").filter((element) => shown(element)
  && [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim()));

parent.postMessage({
  width: view,
  scrolls: document.documentElement.scrollWidth - view,
  sticking_out: every("body *").filter((each) => shown(each) && !each.closest(".scroll")
    && each.getBoundingClientRect().right > view + 0.5).map((each) => each.outerHTML.slice(0, 80)),
  spilling: every(".tiles li, section, header, footer").filter((each) => shown(each)
    && each.scrollWidth > each.clientWidth).map((each) => each.textContent.slice(0, 80)),
  dark: matchMedia("(prefers-color-scheme: dark)").matches,
  asked_for: performance.getEntriesByType("resource").map((each) => each.name),
  pictures: pictures.map(named),
  curves: drawings.flatMap((each) => [...each.classList]).filter((each) => each !== "drawing"),
  overlapping: drawings.flatMap((each) => pairs(every("text", each))),
  cut_off: drawings.flatMap(outside),
  faint: written.map((each) => [contrast(each), each.textContent.trim().slice(0, 40)])
    .filter(([ratio]) => ratio < 4.5),
}, "*");
