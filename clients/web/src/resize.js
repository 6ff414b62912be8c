// Pillow's resize, bit for bit: antialiased, in 22-bit fixed point, rounded to 8 bits between the two axes.

/**
 * A picture of 8 bits a channel, RGB without padding, rows from the top.
 * @typedef {object} Pixels
 * @property {Uint8Array | Uint8ClampedArray} data 3 * width * height values
 * @property {number} width
 * @property {number} height
 */

/** @typedef {"nearest" | "bilinear" | "bicubic" | "lanczos"} Interpolation */

const BITS = 22; // of a weight behind the binary point

/**
 * How far each filter reaches, in pixels of the smaller picture, and its weight at a distance.
 * @type {Record<string, [number, (x: number) => number]>}
 */
const FILTERS = {
  bilinear: [1, (x) => (x < 1 ? 1 - x : 0)],
  bicubic: [2, (x) => (x < 1 ? (1.5 * x - 2.5) * x * x + 1 : x < 2 ? (((x - 5) * x + 8) * x - 4) * -0.5 : 0)],
  lanczos: [3, (x) => (x < 3 ? sinc(x) * sinc(x / 3) : 0)],
};

/**
 * The picture in another size.
 * @param {Pixels} pixels
 * @param {number} width at least 1
 * @param {number} height at least 1
 * @param {Interpolation} interpolation
 * @returns {Pixels}
 */
export function resize(pixels, width, height, interpolation) {
  if (interpolation === "nearest") return nearest(pixels, width, height);
  return transposed(transposed(pixels, width, interpolation), height, interpolation);
}

/**
 * A plane of numbers in another size, bilinear: Pillow's resize of floating point.
 * @param {Float32Array} plane [height, width]
 * @param {{width: number, height: number}} from
 * @param {{width: number, height: number}} to
 * @returns {Float32Array}
 */
export function enlarge(plane, from, to) {
  if (from.width === to.width && from.height === to.height) return plane;
  const rows = transposedPlane(plane, from.width, from.height, to.width);
  return transposedPlane(rows, from.height, to.width, to.height);
}

/**
 * Resized along its width, then turned on its diagonal, so that the second axis goes the same way.
 * @param {Pixels} pixels
 * @param {number} size
 * @param {string} interpolation
 * @returns {Pixels}
 */
function transposed({ data, width, height }, size, interpolation) {
  const out = new Uint8ClampedArray(size * height * 3);
  for (const [x, first, weights] of coefficients(width, size, interpolation)) {
    const fixed = Int32Array.from(weights, (v) => Math.trunc((v < 0 ? -0.5 : 0.5) + v * 2 ** BITS));
    for (let y = 0; y < height; y++) {
      let red = 2 ** (BITS - 1), green = red, blue = red;
      for (let i = 0, at = (y * width + first) * 3; i < fixed.length; i++, at += 3) {
        const weight = fixed[i];
        red += weight * data[at];
        green += weight * data[at + 1];
        blue += weight * data[at + 2];
      }
      const to = (x * height + y) * 3; // stored clamped to 0..255
      out[to] = red >> BITS;
      out[to + 1] = green >> BITS;
      out[to + 2] = blue >> BITS;
    }
  }
  return { data: out, width: height, height: size };
}

/**
 * @param {Float32Array} plane
 * @param {number} width
 * @param {number} height
 * @param {number} size
 */
function transposedPlane(plane, width, height, size) {
  const out = new Float32Array(size * height);
  for (const [x, first, weights] of coefficients(width, size, "bilinear")) {
    for (let y = 0; y < height; y++) {
      let sum = 0;
      for (let i = 0; i < weights.length; i++) sum += weights[i] * plane[y * width + first + i];
      out[x * height + y] = sum;
    }
  }
  return out;
}

/**
 * For each of `size` results: its number, the first of the values that it is made of, and their weights.
 * @param {number} length of what is resized
 * @param {number} size
 * @param {string} interpolation
 * @returns {Generator<[number, number, number[]]>}
 */
function* coefficients(length, size, interpolation) {
  const [reach, filter] = FILTERS[interpolation];
  const scale = length / size;
  const stretch = Math.max(scale, 1); // the filter widens where a picture shrinks
  const inverse = 1 / stretch;
  for (let x = 0; x < size; x++) {
    const centre = (x + 0.5) * scale;
    const first = Math.max(Math.trunc(centre - reach * stretch + 0.5), 0);
    const last = Math.min(Math.trunc(centre + reach * stretch + 0.5), length);
    const weights = [];
    let sum = 0;
    for (let i = first; i < last; i++) {
      const weight = filter(Math.abs((i - centre + 0.5) * inverse));
      weights.push(weight);
      sum += weight;
    }
    yield [x, first, sum === 0 ? weights : weights.map((weight) => weight / sum)];
  }
}

/**
 * @param {Pixels} pixels
 * @param {number} width
 * @param {number} height
 * @returns {Pixels}
 */
function nearest(pixels, width, height) {
  const columns = steps(pixels.width, width), rows = steps(pixels.height, height);
  const out = new Uint8ClampedArray(width * height * 3);
  let to = 0;
  for (const row of rows) {
    for (const column of columns) {
      const from = (row * pixels.width + column) * 3;
      out[to++] = pixels.data[from];
      out[to++] = pixels.data[from + 1];
      out[to++] = pixels.data[from + 2];
    }
  }
  return { data: out, width, height };
}

/**
 * Which value each result takes. Added up as Pillow does it, so that rounding is the same.
 * @param {number} length
 * @param {number} size
 */
function steps(length, size) {
  const scale = length / size;
  const found = [];
  for (let x = 0, at = scale * 0.5; x < size; x++, at += scale) found.push(Math.min(Math.trunc(at), length - 1));
  return found;
}

/** @param {number} x */
function sinc(x) {
  return x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x);
}
