// The card: what a file says about itself, read out of its protocol buffer. ONNX Runtime's JavaScript does not give it.

import { ModelError } from "./errors.js";

const KEY = "smoothserve.card";
const READABLE = [1, 2]; // 1 knew logits of exclusive classes alone
const METADATA = 14; // ModelProto.metadata_props: entries of key (1) and value (2)
const VARINT = 0, FIXED64 = 1, BYTES = 2, FIXED32 = 5; // wire types

/**
 * How a photo becomes the network's input; docs/reference/card.md has every field.
 * @typedef {object} Preprocessing
 * @property {number | null} resize length of the shorter side in pixels; null: the whole photo becomes `crop`
 * @property {[number, number]} crop height and width of the network's input, in pixels
 * @property {number[]} mean subtracted from values in [0, 1], one for each channel
 * @property {number[]} std divided by afterwards
 * @property {"nearest" | "bilinear" | "bicubic" | "lanczos"} interpolation
 * @property {"RGB" | "BGR" | "L" | "planes"} channels
 */

/**
 * @typedef {object} Card
 * @property {number} format
 * @property {string} name of the classifier
 * @property {[number, number, number]} image_shape [C, H, W]
 * @property {number} classes
 * @property {{name: string, [parameter: string]: unknown}} method
 * @property {boolean} signed whether heatmap values below 0.5 speak against the class
 * @property {Preprocessing} preprocessing
 * @property {string[] | null} labels in the order of the logits
 * @property {{kind: string, against?: number}} objective
 * @property {number} top_k how many classes are explained in each image
 * @property {"float32" | "float16"} dtype
 * @property {Record<string, string>} versions
 * @property {Record<string, unknown>} verification errors measured at export
 * @property {"exclusive" | "independent" | "probabilities" | "values"} outputs what the logits are
 */

/**
 * The card of an .onnx file.
 * @param {Uint8Array} bytes the whole file
 * @returns {Card}
 * @throws {ModelError} no ONNX file, a damaged one, one without a card, or a card of an unknown format
 */
export function readCard(bytes) {
  const text = metadata(bytes, KEY);
  if (text === null) {
    throw new ModelError(
      `This is an ONNX file, but no explanation model: it has no card (metadata "${KEY}"). ` +
        "Make one with 'smoothserve export'.",
    );
  }
  let card;
  try {
    card = JSON.parse(text);
  } catch {
    throw new ModelError("The file's card is damaged: it is no JSON.");
  }
  if (!READABLE.includes(card.format)) {
    throw new ModelError(
      `The card has format ${card.format}, this version of smoothserve reads ${READABLE.join(" and ")}. ` +
        "Use a matching version.",
    );
  }
  return { outputs: "exclusive", top_k: 1, ...card };
}

/**
 * The value under a metadata key, or null.
 * @param {Uint8Array} bytes
 * @param {string} key
 */
function metadata(bytes, key) {
  const decoder = new TextDecoder();
  let last = null; // as protocol buffers do: what is said later counts
  let known = false;
  for (const [field, from, to] of fields(bytes, 0, bytes.length)) {
    known ||= field === 7; // the graph
    if (field !== METADATA) continue;
    const entry = ["", "", ""];
    for (const [part, start, end] of fields(bytes, from, to)) {
      if (part < entry.length) entry[part] = decoder.decode(bytes.subarray(start, end));
    }
    if (entry[1] === key) last = entry[2];
  }
  if (!known) throw damaged();
  return last;
}

/**
 * Field number, start and end of each field of bytes in a message.
 * @param {Uint8Array} bytes
 * @param {number} from
 * @param {number} to
 * @returns {Generator<[number, number, number]>}
 */
function* fields(bytes, from, to) {
  let at = from;
  const varint = () => {
    let value = 0;
    for (let scale = 1, byte = 128; byte > 127; scale *= 128) {
      if (at >= to || scale > 2 ** 63) throw damaged();
      byte = bytes[at++];
      value += (byte & 127) * scale; // beyond 2 ** 53 inexact: no length is that large
    }
    return value;
  };
  while (at < to) {
    const tag = varint();
    const kind = tag % 8;
    if (kind === VARINT) varint();
    else if (kind === FIXED64) at += 8;
    else if (kind === FIXED32) at += 4;
    else if (kind === BYTES) {
      const size = varint();
      if (size > to - at) throw damaged();
      yield [Math.floor(tag / 8), at, at + size];
      at += size;
    } else throw damaged();
  }
  if (at !== to) throw damaged();
}

function damaged() {
  return new ModelError(
    "This is not an ONNX file, or a damaged one: expected one that smoothserve wrote ('smoothserve export').",
  );
}
