// The same as load(), in a worker: whatever takes long happens there.

import { errorNamed } from "./errors.js";

/** @typedef {import("./card.js").Card} Card */
/** @typedef {import("./explainer.js").Explanation} Explanation */
/** @typedef {import("./explainer.js").Planes} Planes */
/** @typedef {Blob | ArrayBuffer | Uint8Array<ArrayBuffer> | ImageBitmap | ImageData | import("./resize.js").Pixels} Photo */

/**
 * @typedef {object} RemoteOptions
 * @property {import("./download.js").OnProgress} [onProgress]
 * @property {("wasm" | "webgpu")[]} [executionProviders] see LoadOptions
 * @property {number} [threads] see LoadOptions
 * @property {string | URL} [runtime] address of onnxruntime-web's module, where no bundler finds it
 * @property {string} [wasmPaths] see LoadOptions
 */

/** A worker that holds any number of models. */
export class ExplainerWorker {
  /** @type {Map<number, {resolve: (value: any) => void, reject: (error: Error) => void, tell?: (...facts: any[]) => void}>} */
  #waiting = new Map();
  #count = 0;

  /** @param {Worker} [worker] of worker.js; left out: a new one */
  constructor(worker = new Worker(new URL("./worker.js", import.meta.url), { type: "module" })) {
    this.worker = worker;
    worker.addEventListener("message", ({ data }) => this.#receive(data));
    worker.addEventListener("error", (event) => {
      event.preventDefault();
      this.#fail(new Error(`The worker failed: ${event.message || "it cannot be started"}.`));
    });
  }

  /**
   * Load a file that smoothserve wrote.
   * @param {string | URL | Uint8Array | ArrayBuffer} file its address (from the page's), or its bytes
   * @param {RemoteOptions} [options]
   * @returns {Promise<RemoteExplainer>}
   * @throws {import("./errors.js").ModelError}
   */
  async load(file, { onProgress, runtime, ...options } = {}) {
    const model = ++this.#count;
    const absolute = (/** @type {string | URL} */ url) => new URL(url, document.baseURI).href;
    const given = {
      model,
      file: typeof file === "string" || file instanceof URL ? absolute(file) : file,
      runtime: runtime && absolute(runtime),
      options: { ...options, wasmPaths: options.wasmPaths && absolute(options.wasmPaths) },
    };
    const { card, provider, threads } = await this.ask("load", given, [], onProgress);
    return new RemoteExplainer(this, model, card, provider, threads);
  }

  /** End the worker; what was asked fails. */
  terminate() {
    this.worker.terminate();
    this.#fail(new Error("The worker was ended."));
  }

  /**
   * @param {string} task one of worker.js
   * @param {object} given
   * @param {Transferable[]} [transfer]
   * @param {(...facts: any[]) => void} [tell]
   * @returns {Promise<any>}
   */
  ask(task, given, transfer = [], tell = undefined) {
    const id = ++this.#count;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject, tell });
      this.worker.postMessage({ id, task, given }, transfer);
    });
  }

  /** @param {{id: number, progress?: any[], result?: any, error?: {name: string, message: string}}} message */
  #receive({ id, progress, result, error }) {
    const waiting = this.#waiting.get(id);
    if (!waiting) return;
    if (progress) {
      waiting.tell?.(...progress);
      return;
    }
    this.#waiting.delete(id);
    if (error) waiting.reject(errorNamed(error.name, error.message));
    else waiting.resolve(result);
  }

  /** @param {Error} error */
  #fail(error) {
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
  }
}

/** A model in a worker; it answers as an Explainer does. */
export class RemoteExplainer {
  /**
   * @param {ExplainerWorker} worker
   * @param {number} model
   * @param {Card} card
   * @param {string} provider
   * @param {number} threads
   */
  constructor(worker, model, card, provider, threads) {
    this.worker = worker;
    this.model = model;
    this.card = card;
    this.labels = card.labels;
    this.provider = provider;
    this.threads = threads;
  }

  /**
   * See Explainer. A bitmap is handed over: it is empty afterwards.
   * @param {Photo | Planes} photo
   * @param {number | string | null} [target]
   * @returns {Promise<Explanation>}
   */
  explain(photo, target = null) {
    const transfer = photo instanceof ImageBitmap ? [photo] : [];
    return this.worker.ask("explain", { model: this.model, photo, target }, transfer);
  }

  /** Give the memory back. */
  release() {
    return this.worker.ask("release", { model: this.model });
  }
}
