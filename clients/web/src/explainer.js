// A loaded file: photos in, classes and heatmaps out. Knows nothing of where it runs.

import { TargetError } from "./errors.js";
import { crop, planesToInput, toInput } from "./input.js";
import { best, scores } from "./scores.js";

/** @typedef {import("./card.js").Card} Card */
/** @typedef {import("./resize.js").Pixels} Pixels */
/** @typedef {Float32Array | Float64Array | number[]} Planes */

/**
 * One class of one photo.
 * @typedef {object} ClassScore
 * @property {number} class
 * @property {string} label its number where the card has no names
 * @property {number} [probability]
 * @property {number} [value] in the place of a probability, where the outputs have none
 */

/** @typedef {ClassScore & {heatmap: Float32Array}} ExplainedClass heatmap: [height, width] in [0, 1] */

/**
 * What the model says about a photo. Its own fields are those of the explained class.
 * @typedef {object} ExplanationFields
 * @property {number} width of the heatmap, in pixels
 * @property {number} height
 * @property {boolean} signed true: 0.5 is indifferent, 1 for the class, 0 against it. false: 0 is indifferent
 * @property {ExplainedClass[]} explained every class that was explained, the first one first; one unless `top_k` > 1
 * @property {ClassScore[]} top the most probable classes, at most five
 * @property {Pixels | null} photo the whole photo, upright; null for arrays
 * @property {Pixels | null} seen the part of it that the network saw, of the heatmap's size; null for arrays
 * @property {Float32Array} scores [K], of every class
 * @property {number} milliseconds that the graph ran
 */
/** @typedef {ExplainedClass & ExplanationFields} Explanation */

/**
 * The part of an ONNX Runtime session that is needed.
 * @typedef {object} Session
 * @property {(feeds: Record<string, any>, names: string[]) => Promise<Record<string, any>>} run
 * @property {() => Promise<void>} release
 */

/**
 * @typedef {object} Runtime
 * @property {new (type: any, data: any, shape: number[]) => any} Tensor
 */

/**
 * Explains photos of type `Photo`.
 * @template Photo
 */
export class Explainer {
  /** @type {Promise<unknown>} */
  #last = Promise.resolve();

  /**
   * @param {Session} session
   * @param {Card} card
   * @param {Runtime} runtime
   * @param {(photo: Photo) => Promise<Pixels>} decode
   * @param {{provider: string, threads: number}} where it runs
   */
  constructor(session, card, runtime, decode, where) {
    this.card = card;
    /** Class names in the order of the logits, or null. */
    this.labels = card.labels;
    /** The execution provider: wasm, webgpu, cpu, ... */
    this.provider = where.provider;
    this.threads = where.threads;
    this.session = session;
    this.runtime = runtime;
    this.decode = decode;
  }

  /**
   * Predict the class of a photo, and show why.
   * @param {Photo | Planes} photo for a model whose card says `planes`: an array [C, H, W] of numbers
   * @param {number | string | null} [target] number or label of the class to explain; left out: the predicted one
   * @returns {Promise<Explanation>}
   * @throws {import("./errors.js").PhotoError} it is no photo that this model takes
   * @throws {TargetError} there is no such class
   */
  async explain(photo, target = null) {
    const index = classIndex(target, this.card);
    // A session runs once at a time; a call waits for the one before, however that one ended.
    const turn = this.#last.catch(() => undefined).then(() => this.#explain(photo, index));
    this.#last = turn;
    return turn;
  }

  /** Give the memory back. Afterwards this explainer answers no more. */
  async release() {
    await this.#last.catch(() => undefined);
    await this.session.release();
  }

  /**
   * @param {Photo | Planes} photo
   * @param {number} target
   * @returns {Promise<Explanation>}
   */
  async #explain(photo, target) {
    const { preprocessing, image_shape: shape } = this.card;
    let whole = null, seen = null, input;
    if (preprocessing.channels === "planes") {
      input = planesToInput(/** @type {Planes} */ (photo), preprocessing);
    } else {
      whole = await this.decode(/** @type {Photo} */ (photo));
      seen = crop(whole, preprocessing);
      input = toInput(seen, preprocessing);
    }
    const { Tensor } = this.runtime;
    const feeds = {
      image: new Tensor("float32", input, [1, ...shape]),
      target: new Tensor("int64", BigInt64Array.of(BigInt(target)), [1]),
    };
    const start = performance.now();
    const out = await this.session.run(feeds, ["logits", "explained_class", "heatmap"]);
    const milliseconds = performance.now() - start;
    const found = scores(out.logits.data, this.card);
    const [, height, width] = shape;
    const explained = Array.from(out.explained_class.data, Number).map((index, at) => ({
      ...describe(index, found, this.card),
      heatmap: out.heatmap.data.slice(at * height * width, (at + 1) * height * width),
    }));
    return {
      ...explained[0],
      width,
      height,
      signed: this.card.signed,
      explained,
      top: best(found, 5).map((index) => describe(index, found, this.card)),
      photo: whole,
      seen,
      scores: found,
      milliseconds,
    };
  }
}

/**
 * Number, label and probability (or value) of a class.
 * @param {number} index
 * @param {Float32Array} found
 * @param {Card} card
 * @returns {ClassScore}
 */
function describe(index, found, card) {
  const label = card.labels ? card.labels[index] : String(index);
  const kind = card.outputs === "values" ? "value" : "probability";
  return { class: index, label, [kind]: found[index] };
}

/**
 * The number of a class, -1 for the predicted one. Text is a number or a label; where it is one class's number and
 * another's label, class:3 and label:3 say which.
 * @param {number | string | null} target
 * @param {Card} card
 * @returns {number}
 */
function classIndex(target, card) {
  if (target === null || target === "") return -1;
  const labels = card.labels ?? [];
  const parts = typeof target === "string" && !labels.includes(target) ? /^(class|label):(.*)$/s.exec(target) : null;
  const [kind, named] = parts ? [parts[1], parts[2]] : ["", target];
  const same = kind === "class" ? [] : labels.flatMap((label, index) => (label === named ? [index] : []));
  if (same.length > 1) {
    throw new TargetError(`Several classes are called "${named}": give one of the numbers ${same.join(", ")}.`);
  }
  const numeric = typeof named === "number" || (kind !== "label" && /^[+-]?\d+$/.test(named));
  const number = numeric ? Number(named) : NaN;
  const known = Number.isInteger(number) && number >= -1 && number < card.classes;
  if (same.length && known && same[0] !== number) {
    throw new TargetError(`"${named}" is one class's number and the label of class ${same[0]}: give class:${named} or label:${named}.`);
  }
  if (same.length) return same[0];
  if (known) return number;
  const names = card.labels ? `, or a name such as "${card.labels[0]}"` : "";
  throw new TargetError(`There is no class ${JSON.stringify(target)}: give a number from 0 to ${card.classes - 1}${names}.`);
}
