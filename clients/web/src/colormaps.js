// Colour maps: anchors of matplotlib's (CC0), ColorBrewer's and Fabio Crameri's, linear between them.
// handlers/images/colormaps.py has the same.
import * as crameri from "./crameri.js";

/** Lightness grows evenly along each of these, so equal steps look equal. */
export const SEQUENTIAL = {
  inferno: "000004 1b0c41 4a0c6b 781c6d a52c60 cf4446 ed6925 fb9b06 f7d13d fcffa4",
  magma: "000004 180f3d 440f76 721f81 9e2f7f cd4071 f1605d fd9668 feca8d fcfdbf",
  viridis: "440154 482878 3e4989 31688e 26828e 1f9e89 35b779 6ece58 b5de2b fde725",
  cividis: "00224e 123570 3b496c 575d6d 707173 8a8678 a59c74 c3b369 e1cc55 fee838",
  grey: "000000 ffffff",
  ...crameri.SEQUENTIAL,
};
/** From against over indifferent to for, safe for colour-blind readers; the first two are ColorBrewer's. */
export const DIVERGING = {
  "blue-red": "2166ac 67a9cf d1e5f0 f7f7f7 fddbc7 ef8a62 b2182b",
  "purple-orange": "542788 998ec3 d8daeb f7f7f7 fee0b6 f1a340 b35806",
  ...crameri.DIVERGING,
};

const LEVELS = 4096; // steps of a table: finer than 8 bits of a channel can tell apart

/**
 * The maps that fit a heatmap, the default first.
 * @param {boolean} signed
 * @returns {string[]}
 */
export function colormapNames(signed) {
  return Object.keys(signed ? DIVERGING : SEQUENTIAL);
}

/**
 * Colours of values in [0, 1]: a function that gives where in `table` red, green and blue of a value stand.
 * @param {string | null | undefined} name null: the default
 * @param {boolean} signed
 * @returns {{table: Uint8Array, at: (value: number) => number}}
 * @throws {RangeError} the map does not fit such a heatmap
 */
export function colours(name, signed) {
  const maps = /** @type {Record<string, string>} */ (signed ? DIVERGING : SEQUENTIAL);
  const chosen = name ?? Object.keys(maps)[0];
  if (!(chosen in maps)) {
    const kind = signed ? "speaks for and against a class and needs a diverging" : "needs a sequential";
    throw new RangeError(`colormap "${chosen}", but this heatmap ${kind} one: ${Object.keys(maps).join(", ")}.`);
  }
  const anchors = maps[chosen].split(" ").map((hex) => [0, 2, 4].map((at) => parseInt(hex.slice(at, at + 2), 16)));
  const table = new Uint8Array((LEVELS + 1) * 3);
  for (let level = 0; level <= LEVELS; level++) {
    const position = (level / LEVELS) * (anchors.length - 1);
    const below = Math.min(Math.floor(position), anchors.length - 2);
    for (let channel = 0; channel < 3; channel++) {
      const from = anchors[below][channel], to = anchors[below + 1][channel];
      table[level * 3 + channel] = Math.round(from + (position - below) * (to - from));
    }
  }
  return { table, at: (value) => Math.round(value * LEVELS) * 3 };
}
