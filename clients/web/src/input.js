// A photo's pixels -> what the network sees of them -> its input, exactly as the card says.

import { PhotoError } from "./errors.js";
import { resize } from "./resize.js";

/** @typedef {import("./card.js").Preprocessing} Preprocessing */
/** @typedef {import("./resize.js").Pixels} Pixels */

const MAX_ASPECT = 50; // a strip of 1 x 50,000 would be resized to 256 x 12,800,000 before the crop

/**
 * What the network sees: resized, and its middle cut out.
 * @param {Pixels} photo
 * @param {Preprocessing} preprocessing
 * @returns {Pixels} of size `crop`
 * @throws {PhotoError} one side is more than 50 times the other
 */
export function crop(photo, preprocessing) {
  const [height, width] = preprocessing.crop;
  if (preprocessing.resize === null) return resize(photo, width, height, preprocessing.interpolation);
  const [large, left, top] = placed(photo, preprocessing);
  const whole = resize(photo, large.width, large.height, preprocessing.interpolation);
  const data = new Uint8ClampedArray(width * height * 3);
  for (let y = 0; y < height; y++) {
    const from = ((y + top) * whole.width + left) * 3;
    data.set(whole.data.subarray(from, from + width * 3), y * width * 3);
  }
  return { data, width, height };
}

/**
 * Where in a photo the network looks, in the photo's pixels.
 * @param {{width: number, height: number}} photo
 * @param {Preprocessing} preprocessing
 * @returns {{left: number, top: number, right: number, bottom: number}}
 */
export function cropBox(photo, preprocessing) {
  if (preprocessing.resize === null) return { left: 0, top: 0, right: photo.width, bottom: photo.height };
  const [height, width] = preprocessing.crop;
  const [large, left, top] = placed(photo, preprocessing);
  const across = photo.width / large.width, down = photo.height / large.height;
  return {
    left: even(left * across),
    top: even(top * down),
    right: even((left + width) * across),
    bottom: even((top + height) * down),
  };
}

/**
 * The network's input: float32 [C, H, W].
 * @param {Pixels} seen what {@link crop} gives
 * @param {Preprocessing} preprocessing
 * @returns {Float32Array}
 */
export function toInput({ data, width, height }, { channels, mean, std }) {
  const area = width * height;
  const out = new Float32Array(mean.length * area);
  const round = Math.fround;
  for (let channel = 0; channel < mean.length; channel++) {
    const source = channels === "BGR" ? 2 - channel : channel;
    // Each of the 256 values once, with the rounding of float32 behind every step.
    const table = Float32Array.from({ length: 256 }, (_, value) =>
      round(round(round(value / 255) - round(mean[channel])) / round(std[channel])),
    );
    for (let pixel = 0; pixel < area; pixel++) {
      const at = pixel * 3;
      const value = channels === "L" ? grey(data[at], data[at + 1], data[at + 2]) : data[at + source];
      out[channel * area + pixel] = table[value];
    }
  }
  return out;
}

/**
 * The input of a model that takes arrays: `(values - mean) / std`, float32 [C, H, W].
 * @param {ArrayLike<number>} values [C, H, W]
 * @param {Preprocessing} preprocessing
 * @returns {Float32Array}
 * @throws {PhotoError} another number of values, or some that are not finite
 */
export function planesToInput(values, { mean, std, crop: [height, width] }) {
  const area = height * width;
  if (values?.length !== mean.length * area) {
    throw new PhotoError(
      `This model takes arrays of ${mean.length} x ${height} x ${width} numbers, ` +
        `but ${values?.length === undefined ? "no array" : `${values.length} numbers`} came.`,
    );
  }
  const out = Float32Array.from(values, (value, at) => {
    const channel = Math.floor(at / area);
    return (value - mean[channel]) / std[channel];
  });
  if (!out.every(Number.isFinite)) {
    throw new PhotoError("The array holds NaN, infinity, or numbers that float32 cannot hold.");
  }
  return out;
}

/**
 * A colour's lightness in 0..255, as Pillow's mode L.
 * @param {number} red
 * @param {number} green
 * @param {number} blue
 */
export function grey(red, green, blue) {
  return (19595 * red + 38470 * green + 7471 * blue + 32768) >> 16;
}

/**
 * Size of the photo after the resize, and the corner of the crop in it.
 * @param {{width: number, height: number}} photo
 * @param {Preprocessing} preprocessing
 * @returns {[{width: number, height: number}, number, number]}
 */
function placed(photo, preprocessing) {
  const short = Math.min(photo.width, photo.height);
  if (Math.max(photo.width, photo.height) > MAX_ASPECT * short) {
    throw new PhotoError(
      `The photo has ${photo.width} x ${photo.height} pixels; one side may be at most ${MAX_ASPECT} times the other.`,
    );
  }
  const [height, width] = preprocessing.crop;
  const side = (/** @type {number} */ length) =>
    Math.max(Math.trunc((Number(preprocessing.resize) * length) / short), 1);
  const large = { width: side(photo.width), height: side(photo.height) };
  return [large, even((large.width - width) / 2), even((large.height - height) / 2)];
}

/**
 * Rounded; halves to the even number, as Python does.
 * @param {number} value
 */
function even(value) {
  const below = Math.floor(value);
  if (value - below !== 0.5) return Math.round(value);
  return below % 2 === 0 ? below : below + 1;
}
