// A heatmap over its photo, as Python draws it: the more opaque the more it has to say.

import { colours } from "./colormaps.js";
import { cropBox, grey } from "./input.js";
import { enlarge, resize } from "./resize.js";

/** @typedef {import("./card.js").Card} Card */
/** @typedef {import("./explainer.js").Explanation} Explanation */
/** @typedef {import("./resize.js").Pixels} Pixels */
/** @typedef {{data: Uint8ClampedArray, width: number, height: number}} RGBA as ImageData has it */

/**
 * @typedef {object} Look
 * @property {boolean} [whole] the whole photo in its own shape, instead of what the network saw (default false)
 * @property {number} [size] longest side in pixels, where `whole`; larger photos are shrunk (default 1024)
 * @property {number} [opacity] of the strongest pixels, in [0, 1] (default 0.85)
 * @property {string | null} [colormap] one of colormapNames(signed); null: the first
 * @property {boolean} [colour] leave the photo its colours; else it is shown in grey (default false)
 */

const NOTHING = 0.1; // of the strongest; less is not drawn, or flat areas would be covered by a haze
const HUES = [0.08, 0.92]; // of a diverging map: its middle is nearly white, and would cover the photo

/**
 * The picture: RGBA, opaque.
 * @param {Explanation} explanation of a photo
 * @param {Card} card
 * @param {Look} [look]
 * @returns {RGBA}
 */
export function overlay(explanation, card, look = {}) {
  const below = background(explanation, look);
  const above = heatLayer(explanation, card, look);
  const opacity = look.opacity ?? 0.85;
  for (let at = 0; at < below.data.length; at += 4) {
    const mask = Math.trunc(above.strength[at / 4] * opacity * 255);
    for (let channel = at; channel < at + 3; channel++) {
      const sum = above.data[channel] * mask + below.data[channel] * (255 - mask) + 128;
      below.data[channel] = ((sum >> 8) + sum) >> 8; // Pillow's division by 255
    }
  }
  return below;
}

/**
 * {@link overlay} onto a canvas, which takes its size.
 * @param {HTMLCanvasElement | OffscreenCanvas} canvas
 * @param {Explanation} explanation
 * @param {Card} card
 * @param {Look} [look]
 */
export function drawOverlay(canvas, explanation, card, look = {}) {
  draw(canvas, overlay(explanation, card, look));
}

/**
 * Put pixels onto a canvas, which takes their size.
 * @param {HTMLCanvasElement | OffscreenCanvas} canvas
 * @param {RGBA} picture
 */
export function draw(canvas, { data, width, height }) {
  canvas.width = width;
  canvas.height = height;
  const context = /** @type {CanvasRenderingContext2D | null} */ (canvas.getContext("2d"));
  if (context === null) throw new Error("This canvas is used for something else: it gives no 2d context.");
  context.putImageData(new ImageData(/** @type {Uint8ClampedArray<ArrayBuffer>} */ (data), width, height), 0, 0);
}

/**
 * The photo below the heatmap, in grey or in its colours: RGBA, opaque.
 * @param {Explanation} explanation
 * @param {Look} [look]
 * @returns {RGBA}
 */
export function background(explanation, look = {}) {
  const { data, width, height } = shownPhoto(explanation, look);
  const out = new Uint8ClampedArray(width * height * 4);
  for (let from = 0, to = 0; to < out.length; from += 3, to += 4) {
    const [red, green, blue] = [data[from], data[from + 1], data[from + 2]];
    const shade = grey(red, green, blue);
    out[to] = look.colour ? red : shade;
    out[to + 1] = look.colour ? green : shade;
    out[to + 2] = look.colour ? blue : shade;
    out[to + 3] = 255;
  }
  return { data: out, width, height };
}

/**
 * The heatmap alone: its colours, as transparent as it has little to say. Laid over {@link background} with an
 * opacity it is {@link overlay}, which a page can change without drawing again.
 * @param {Explanation} explanation
 * @param {Card} card
 * @param {Look} [look] its opacity is not used
 * @returns {RGBA & {strength: Float32Array}} strength: the same transparency, in [0, 1]
 */
export function heatLayer(explanation, card, look = {}) {
  const { signed } = card;
  const { width, height } = look.whole ? shownSize(explanation, look) : explanation;
  const heat = look.whole ? wholeHeatmap(explanation, card, { width, height }) : explanation.heatmap;
  const smooth = blurred(heat, width, height, width / 100, signed);
  const { table, at } = colours(look.colormap, signed);
  const data = new Uint8ClampedArray(width * height * 4);
  const strength = new Float32Array(width * height);
  for (let pixel = 0; pixel < strength.length; pixel++) {
    const value = smooth[pixel];
    const force = signed ? Math.abs(value - 0.5) * 2 : value;
    strength[pixel] = Math.min(Math.max((force - NOTHING) / (1 - NOTHING), 0), 1);
    const colour = at(signed ? HUES[value < 0.5 ? 0 : 1] : value);
    data.set(table.subarray(colour, colour + 3), pixel * 4);
    data[pixel * 4 + 3] = strength[pixel] * 255;
  }
  return { data, width, height, strength };
}

/**
 * @param {Explanation} explanation
 * @param {Look} look
 * @returns {Pixels}
 */
function shownPhoto(explanation, look) {
  const pixels = look.whole ? explanation.photo : explanation.seen;
  if (!pixels) throw new TypeError("An array was explained, not a photo: there is nothing to lay the heatmap over.");
  if (!look.whole) return pixels;
  const { width, height } = shownSize(explanation, look);
  return width === pixels.width ? pixels : resize(pixels, width, height, "bilinear");
}

/**
 * Size of the whole photo as it is shown.
 * @param {Explanation} explanation
 * @param {Look} look
 */
function shownSize({ photo }, { size = 1024 }) {
  if (!photo) throw new TypeError("An array was explained, not a photo: it has no shape of its own.");
  const factor = Math.min(size / Math.max(photo.width, photo.height), 1);
  return {
    width: Math.max(Math.round(photo.width * factor), 1),
    height: Math.max(Math.round(photo.height * factor), 1),
  };
}

/**
 * The heatmap in the photo's own shape; outside of what the network saw there is nothing to show.
 * @param {Explanation} explanation
 * @param {Card} card
 * @param {{width: number, height: number}} size
 * @returns {Float32Array}
 */
function wholeHeatmap(explanation, card, size) {
  const { left, top, right, bottom } = cropBox(size, card.preprocessing);
  const box = { width: right - left, height: bottom - top };
  const large = enlarge(explanation.heatmap, explanation, box);
  const out = new Float32Array(size.width * size.height).fill(card.signed ? 0.5 : 0);
  for (let y = Math.max(top, 0); y < Math.min(bottom, size.height); y++) {
    for (let x = Math.max(left, 0); x < Math.min(right, size.width); x++) {
      out[y * size.width + x] = large[(y - top) * box.width + x - left];
    }
  }
  return out;
}

/**
 * Blurred by a normal density, then scaled so that the strongest pixel is as strong as can be: sensitivities are
 * speckled, and a person looks for regions.
 * @param {Float32Array} heat [height, width]
 * @param {number} width
 * @param {number} height
 * @param {number} radius standard deviation in pixels
 * @param {boolean} signed
 * @returns {Float32Array}
 */
function blurred(heat, width, height, radius, signed) {
  const smooth = blurredRows(blurredRows(heat, width, height, radius), height, width, radius);
  const middle = signed ? 0.5 : 0;
  let peak = 0;
  for (const value of smooth) peak = Math.max(peak, Math.abs(value - middle));
  if (peak === 0) return smooth;
  return smooth.map((value) => Math.min(Math.max(middle + ((value - middle) * (1 - middle)) / peak, 0), 1));
}

/**
 * Blurred along the width, and turned on its diagonal.
 * @param {Float32Array} plane
 * @param {number} width
 * @param {number} height
 * @param {number} radius
 */
function blurredRows(plane, width, height, radius) {
  const spread = Math.max(radius, 1e-3);
  const reach = Math.ceil(spread * 6); // further away a weight is below 1e-7, less than float32 can add
  const weights = Float64Array.from({ length: reach + 1 }, (_, distance) => Math.exp(-0.5 * (distance / spread) ** 2));
  const out = new Float32Array(plane.length);
  for (let x = 0; x < width; x++) {
    const first = Math.max(x - reach, 0), last = Math.min(x + reach, width - 1);
    let total = 0;
    for (let i = first; i <= last; i++) total += weights[Math.abs(i - x)];
    for (let y = 0; y < height; y++) {
      let sum = 0;
      for (let i = first; i <= last; i++) sum += weights[Math.abs(i - x)] * plane[y * width + i];
      out[x * height + y] = sum / total;
    }
  }
  return out;
}
