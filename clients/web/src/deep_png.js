// PNG with 16 bits a channel -> 8, as the contract has it: browsers round otherwise.

/** @typedef {{data: Uint8ClampedArray, width: number, height: number}} Rgba */

const CHANNELS = /** @type {Record<number, number>} */ ({ 0: 1, 2: 3, 4: 2, 6: 4 }); // of each colour type
const GREY = 0;

/**
 * RGBA of such a file; null for all others, which the browser decodes: other kinds, and deep ones that are
 * interlaced, turned by EXIF or have a colour that counts as transparent.
 * @param {Blob} file
 * @param {number} most pixels that are decoded
 * @returns {Promise<Rgba | null>}
 */
export async function decodeDeepPng(file, most) {
  const start = new DataView(await file.slice(0, 29).arrayBuffer());
  if (start.byteLength < 29 || start.getUint32(0) !== 0x89504e47 || start.getUint8(24) !== 16) return null;
  const [width, height, type] = [start.getUint32(16), start.getUint32(20), start.getUint8(25)];
  if (!CHANNELS[type] || start.getUint8(28) !== 0 || width * height > most) return null;
  const parts = compressed(new DataView(await file.arrayBuffer()), type);
  if (parts === null) return null;
  const stream = new Blob(parts).stream().pipeThrough(new DecompressionStream("deflate"));
  const lines = new Uint8Array(await new Response(stream).arrayBuffer());
  const stride = 2 * CHANNELS[type] * width;
  if (lines.length < height * (stride + 1)) return null;
  return { data: pixels(lines, width, height, type), width, height };
}

/**
 * The compressed parts; null where a chunk changes what the pixels mean.
 * @param {DataView<ArrayBuffer>} file
 * @param {number} type of colour
 */
function compressed(file, type) {
  const parts = [];
  for (let at = 8; at + 12 <= file.byteLength; ) {
    const length = file.getUint32(at);
    const name = String.fromCharCode(...new Uint8Array(file.buffer, at + 4, 4));
    if (at + 12 + length > file.byteLength) return null;
    if (name === "IEND") return parts;
    if (name === "eXIf" || name === "iTXt" || (name === "tRNS" && type !== GREY)) return null;
    if (name === "IDAT") parts.push(new Uint8Array(file.buffer, at + 8, length));
    at += 12 + length;
  }
  return null;
}

/**
 * @param {Uint8Array} lines filtered, each behind the number of its filter
 * @param {number} width
 * @param {number} height
 * @param {number} type of colour
 */
function pixels(lines, width, height, type) {
  const channels = CHANNELS[type];
  const rgba = new Uint8ClampedArray(4 * width * height).fill(255);
  const stride = 2 * channels * width;
  /** @type {Uint8Array} */
  let above = new Uint8Array(stride);
  for (let y = 0; y < height; y++) {
    const from = y * (stride + 1);
    const line = lines.subarray(from + 1, from + 1 + stride);
    unfilter(line, above, lines[from], 2 * channels);
    for (let x = 0, to = 4 * y * width; x < width; x++, to += 4) {
      const at = 2 * channels * x;
      const first = type === GREY ? in8Bits(line[at], line[at + 1]) : line[at];
      rgba[to] = first;
      rgba[to + 1] = channels < 3 ? first : line[at + 2];
      rgba[to + 2] = channels < 3 ? first : line[at + 4];
      if (channels % 2 === 0) rgba[to + 3] = line[at + 2 * (channels - 1)];
    }
    above = line;
  }
  return rgba;
}

const STEP = Math.fround(255 / 65535);

/**
 * Scaled in float32; the array that takes it rounds halves to even.
 * @param {number} high
 * @param {number} low
 */
export const in8Bits = (high, low) => Math.fround((high * 256 + low) * STEP);

/**
 * PNG's filters (ISO 15948, 9.2), undone in place.
 * @param {Uint8Array} line
 * @param {Uint8Array} above
 * @param {number} filter
 * @param {number} step bytes of a pixel
 */
function unfilter(line, above, filter, step) {
  for (let i = 0; i < line.length; i++) {
    const left = i < step ? 0 : line[i - step];
    const corner = i < step ? 0 : above[i - step];
    if (filter === 1) line[i] += left;
    else if (filter === 2) line[i] += above[i];
    else if (filter === 3) line[i] += (left + above[i]) >> 1;
    else if (filter === 4) line[i] += paeth(left, above[i], corner);
  }
}

/**
 * @param {number} left
 * @param {number} above
 * @param {number} corner
 */
function paeth(left, above, corner) {
  const near = left + above - corner;
  const [a, b, c] = [Math.abs(near - left), Math.abs(near - above), Math.abs(near - corner)];
  return a <= b && a <= c ? left : b <= c ? above : corner;
}
