// Node's photos -> pixels, by sharp: upright, RGB, colour profiles ignored, transparency on white.

import { in8Bits } from "./deep_png.js";
import { PhotoError } from "./errors.js";
import { checkedPixels, MOST_PIXELS } from "./pixels.js";

/** @typedef {import("./resize.js").Pixels} Pixels */

/**
 * @param {any} sharp the package's function
 * @param {Uint8Array} bytes of a file
 * @returns {Promise<Pixels>}
 * @throws {PhotoError} no photo that sharp reads, or too many pixels
 */
export async function decoded(sharp, bytes) {
  try {
    const image = sharp(bytes, { ignoreIcc: true, limitInputPixels: MOST_PIXELS }).autoOrient();
    const { space, channels } = await image.metadata();
    if (space === "cmyk") return withoutInks(await stored(image.pipelineColourspace("cmyk"), "cmyk", "uchar"));
    if (space === "grey16" && channels === 1) return shallow(await stored(image, "grey16", "ushort"));
    return checkedPixels(await stored(image, "srgb", "uchar"));
  } catch (error) {
    if (error instanceof PhotoError) throw error;
    throw new PhotoError(`The photo cannot be read: ${error instanceof Error ? error.message : error}`);
  }
}

/**
 * @param {any} image
 * @param {string} space of colours
 * @param {string} depth
 */
async function stored(image, space, depth) {
  const { data, info } = await image.toColourspace(space).raw({ depth }).toBuffer({ resolveWithObject: true });
  return { data, width: info.width, height: info.height };
}

/**
 * Four inks, stored inverted as Adobe does, in Pillow's arithmetic.
 * @param {{data: Uint8Array, width: number, height: number}} inks
 * @returns {Pixels}
 */
function withoutInks({ data, width, height }) {
  const rgb = new Uint8ClampedArray(width * height * 3);
  for (let from = 0, to = 0; to < rgb.length; from += 4, to += 3) {
    const light = 255 - data[from + 3];
    for (let ink = 0; ink < 3; ink++) {
      const product = data[from + ink] * light + 128;
      rgb[to + ink] = light - (((product >> 8) + product) >> 8);
    }
  }
  return { data: rgb, width, height };
}

/**
 * Grey of 16 bits, in 8.
 * @param {{data: Uint8Array, width: number, height: number}} grey
 * @returns {Pixels}
 */
function shallow({ data, width, height }) {
  const deep = new Uint16Array(data.buffer, data.byteOffset, width * height);
  const rgb = new Uint8ClampedArray(width * height * 3);
  for (let pixel = 0; pixel < deep.length; pixel++) {
    rgb.fill(in8Bits(deep[pixel] >> 8, deep[pixel] & 255), 3 * pixel, 3 * pixel + 3);
  }
  return { data: rgb, width, height };
}
