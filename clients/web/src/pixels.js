// Pixels that a caller gives, or a decoder: checked, and put on white where they are transparent.

import { PhotoError } from "./errors.js";

/** @typedef {import("./resize.js").Pixels} Pixels */

export const MOST_PIXELS = 50_000_000; // of a photo; they take 150 MB decoded

/**
 * Raise where a photo is too large to be decoded here.
 * @param {number} width
 * @param {number} height
 * @throws {PhotoError}
 */
export function checkSize(width, height) {
  if (width * height > MOST_PIXELS) {
    throw new PhotoError(
      `The photo has ${width} x ${height} pixels, at most ${MOST_PIXELS / 1e6} million are taken. Give a smaller one.`,
    );
  }
}

/**
 * Pixels that were given as they are, checked.
 * @param {any} given
 * @returns {Pixels}
 * @throws {PhotoError}
 */
export function checkedPixels({ data, width, height }) {
  const bytes = data instanceof Uint8Array || data instanceof Uint8ClampedArray;
  const whole = Number.isInteger(width) && Number.isInteger(height) && width > 0 && height > 0;
  const channels = data?.length / (width * height);
  if (!bytes || !whole || (channels !== 3 && channels !== 4)) {
    throw new PhotoError(
      `${data?.length ?? "No"} values for ${width} x ${height} pixels came, expected a Uint8Array of 3 (RGB) or 4 ` +
        "(RGBA) for each pixel.",
    );
  }
  return channels === 3 ? { data, width, height } : onWhite({ data, width, height });
}

/**
 * Red, green, blue of RGBA pixels, put on white.
 * @param {{data: Uint8Array | Uint8ClampedArray, width: number, height: number}} rgba not premultiplied
 * @returns {Pixels}
 */
export function onWhite({ data, width, height }) {
  const rgb = new Uint8ClampedArray(width * height * 3);
  for (let from = 0, to = 0; to < rgb.length; from += 4, to += 3) {
    const alpha = data[from + 3];
    for (let channel = 0; channel < 3; channel++) {
      const sum = (data[from + channel] * alpha + 255 * (255 - alpha) + 128) * 128; // Pillow's rounding
      rgb[to + channel] = ((sum >> 8) + sum) >> 15;
    }
  }
  return { data: rgb, width, height };
}
