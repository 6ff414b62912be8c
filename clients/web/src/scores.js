// What a graph's logits say of each class: a probability, or a value that is none.

/** @typedef {import("./card.js").Card} Card */

/**
 * Probabilities by the card's `outputs`; values as they are.
 * @param {Float32Array} logits [K]
 * @param {Card} card
 * @returns {Float32Array} [K]
 */
export function scores(logits, card) {
  if (card.outputs === "independent") return logits.map((value) => 1 / (1 + Math.exp(-value)));
  if (card.outputs !== "exclusive") return logits;
  let peak = -Infinity;
  for (const value of logits) peak = Math.max(peak, value);
  const powers = Float64Array.from(logits, (value) => Math.exp(value - peak));
  let sum = 0;
  for (const power of powers) sum += power;
  return Float32Array.from(powers, (power) => power / sum);
}

/**
 * The numbers of the best classes, best first; of equal ones the first.
 * @param {Float32Array} values [K]
 * @param {number} count
 * @returns {number[]}
 */
export function best(values, count) {
  const order = Array.from(values, (_, index) => index);
  return order.sort((a, b) => values[b] - values[a] || a - b).slice(0, count);
}
