// The module in a browser: load a file, explain photos with it, draw heatmaps.

import { readCard } from "./card.js";
import { download } from "./download.js";
import { ModelError } from "./errors.js";
import { Explainer } from "./explainer.js";
import { decode } from "./photo.js";

export { colormapNames } from "./colormaps.js";
export { ModelError, PhotoError, TargetError } from "./errors.js";
export { background, draw, drawOverlay, heatLayer, overlay } from "./overlay.js";
export { readCard };

/** @typedef {import("./card.js").Card} Card */
/** @typedef {import("./explainer.js").Explanation} Explanation */
/** @typedef {import("./photo.js").Photo} Photo */

/**
 * @typedef {object} LoadOptions
 * @property {import("./download.js").OnProgress} [onProgress] told while the file comes
 * @property {("wasm" | "webgpu")[]} [executionProviders] the first that works here is taken (default: wasm)
 * @property {number} [threads] of wasm. More than one needs a page that is cross-origin isolated; elsewhere one is
 *   taken. Default: half of the cores, at most four. The first load of a page decides
 * @property {any} [ort] the runtime, where onnxruntime-web is not to be found by that name: its module
 * @property {string} [wasmPaths] folder of its .wasm files, a URL that ends in a slash (default: beside its module)
 */

/**
 * Load a file that smoothserve wrote.
 * @param {string | URL | Uint8Array<ArrayBuffer> | ArrayBuffer} file its address, or its bytes
 * @param {LoadOptions} [options]
 * @returns {Promise<Explainer<Photo>>}
 * @throws {ModelError} it cannot be fetched, is no explanation model, or does not load
 */
export async function load(file, options = {}) {
  const wanted = options.executionProviders ?? ["wasm"];
  const given = file instanceof ArrayBuffer ? new Uint8Array(file) : file;
  const [bytes, ort] = await Promise.all([
    given instanceof Uint8Array ? given : download(given, options.onProgress),
    options.ort ?? runtime(wanted),
  ]);
  const card = readCard(bytes);
  if (options.wasmPaths) ort.env.wasm.wasmPaths = options.wasmPaths;
  const threads = threadsHere(options.threads);
  ort.env.wasm.numThreads = threads;
  ort.env.logLevel = "error";
  const failures = [];
  for (const provider of wanted) {
    try {
      if (provider === "webgpu") await checkWebGPU();
      const session = await ort.InferenceSession.create(bytes, {
        executionProviders: [provider],
        enableMemPattern: false, // no faster, and takes twice the memory
        logSeverityLevel: 3, // its warnings are about graphs in general: which node runs where
      });
      return new Explainer(session, card, ort, decode, { provider, threads });
    } catch (error) {
      failures.push(`${provider}: ${error instanceof Error ? error.message : error}`);
    }
  }
  throw new ModelError(`ONNX Runtime cannot load the file. ${failures.join("; ")}`);
}

/**
 * onnxruntime-web, as little of it as is needed.
 * @param {string[]} wanted execution providers
 * @returns {Promise<any>}
 */
function runtime(wanted) {
  return wanted.includes("webgpu") ? import("onnxruntime-web/webgpu") : import("onnxruntime-web/wasm");
}

/** Raise unless there is a device: ONNX Runtime would say it less plainly. */
async function checkWebGPU() {
  const adapter = await /** @type {any} */ (navigator).gpu?.requestAdapter();
  if (!adapter) throw new Error("this browser has no WebGPU, or no device for it");
}

/**
 * How many threads wasm can have.
 * @param {number | undefined} wanted
 */
function threadsHere(wanted) {
  if (!globalThis.crossOriginIsolated) return 1; // no memory may be shared
  return wanted ?? Math.min(Math.max(Math.floor(navigator.hardwareConcurrency / 2), 1), 4);
}
