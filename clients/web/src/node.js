// The module in Node: the same, with onnxruntime-node, and sharp to decode photos.

import { readFile } from "node:fs/promises";

import { readCard } from "./card.js";
import { decoded } from "./decode_node.js";
import { ModelError } from "./errors.js";
import { Explainer } from "./explainer.js";
import { checkedPixels } from "./pixels.js";

export { colormapNames } from "./colormaps.js";
export { ModelError, PhotoError, TargetError } from "./errors.js";
export { background, heatLayer, overlay } from "./overlay.js";
export { readCard };

/** @typedef {import("./card.js").Card} Card */
/** @typedef {import("./explainer.js").Explanation} Explanation */
/** @typedef {import("./resize.js").Pixels} Pixels */
/** @typedef {string | URL | Uint8Array | Pixels} Photo a file, its bytes; or pixels, for which sharp is not needed */

/**
 * @typedef {object} LoadOptions
 * @property {string[]} [executionProviders] of onnxruntime-node, best first (default: cpu)
 * @property {number} [threads] default: as many as cores
 */

/**
 * Load a file that smoothserve wrote.
 * @param {string | URL | Uint8Array} file its path, or its bytes
 * @param {LoadOptions} [options]
 * @returns {Promise<Explainer<Photo>>}
 * @throws {ModelError} it is no explanation model, or does not load
 */
export async function load(file, options = {}) {
  const bytes = file instanceof Uint8Array ? file : await readFile(file);
  const card = readCard(bytes);
  const ort = await installed("onnxruntime-node", "runs the file");
  const executionProviders = options.executionProviders ?? ["cpu"];
  const threads = options.threads ?? 0;
  let session;
  try {
    session = await ort.InferenceSession.create(bytes, {
      executionProviders,
      enableMemPattern: false, // no faster, and takes twice the memory
      intraOpNumThreads: threads,
      logSeverityLevel: 3,
    });
  } catch (error) {
    throw new ModelError(`ONNX Runtime cannot load the file: ${error instanceof Error ? error.message : error}`);
  }
  return new Explainer(session, card, ort, decode, { provider: executionProviders[0], threads });
}

/**
 * @param {Photo} photo
 * @returns {Promise<Pixels>}
 */
async function decode(photo) {
  if (typeof photo === "object" && photo !== null && "data" in photo && "width" in photo) return checkedPixels(photo);
  const bytes = photo instanceof Uint8Array ? photo : await readFile(photo);
  const sharp = (await installed("sharp", "decodes photos; raw pixels {data, width, height} need none")).default;
  return decoded(sharp, bytes);
}

/**
 * An optional package, or what to do where it is missing.
 * @param {string} name
 * @param {string} purpose
 * @returns {Promise<any>}
 */
async function installed(name, purpose) {
  try {
    return await import(name);
  } catch (error) {
    if (/** @type {{code?: string}} */ (error).code !== "ERR_MODULE_NOT_FOUND") throw error;
    throw new Error(`${name} is not installed (it ${purpose}): npm install ${name}`);
  }
}
