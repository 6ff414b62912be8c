// The mistakes that a caller can make, one class for each kind; the message says what to do.

/** The file is no explanation model, or cannot be loaded. */
export class ModelError extends Error {
  name = "ModelError";
}

/** What was given is no photo, or none that this model takes. */
export class PhotoError extends Error {
  name = "PhotoError";
}

/** There is no such class. */
export class TargetError extends Error {
  name = "TargetError";
}

/**
 * The error of a kind by its name, for those that crossed from a worker.
 * @param {string} name
 * @param {string} message
 * @returns {Error}
 */
export function errorNamed(name, message) {
  const kind = { ModelError, PhotoError, TargetError }[name] ?? Error;
  return new kind(message);
}
