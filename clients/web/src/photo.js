// A browser's photos -> pixels: upright, RGB, colour profiles ignored, transparency on white.

import { decodeDeepPng } from "./deep_png.js";
import { PhotoError } from "./errors.js";
import { checkedPixels, checkSize, MOST_PIXELS } from "./pixels.js";

/** @typedef {import("./resize.js").Pixels} Pixels */
/**
 * A file, its bytes, or what shows it. Only of files is it certain that a colour profile is ignored. Pixels are RGB or
 * RGBA of 8 bits a channel.
 * @typedef {Blob | ArrayBuffer | Uint8Array<ArrayBuffer> | ImageBitmap | HTMLImageElement | HTMLVideoElement |
 *   HTMLCanvasElement | OffscreenCanvas | VideoFrame | ImageData | Pixels} Photo
 */

/**
 * @param {Photo} photo
 * @returns {Promise<Pixels>}
 * @throws {PhotoError} no photo that this browser reads, or too many pixels
 */
export async function decode(photo) {
  if (photo === null || typeof photo !== "object") {
    throw new PhotoError(`${photo === null ? "Null" : `A ${typeof photo}`} came, expected a photo: a file, or its bytes.`);
  }
  if ("data" in photo && "width" in photo) {
    checkSize(photo.width, photo.height);
    return checkedPixels(photo);
  }
  const given = photo instanceof ArrayBuffer || photo instanceof Uint8Array ? new Blob([photo]) : photo;
  if (given instanceof Blob && given.size === 0) throw new PhotoError("The file is empty. Give a photo.");
  if (given instanceof Blob) {
    const deep = await decodeDeepPng(given, MOST_PIXELS).catch(() => null); // what is damaged, the browser refuses
    if (deep !== null) return checkedPixels(deep);
  }
  let bitmap;
  try {
    bitmap = await createImageBitmap(/** @type {ImageBitmapSource} */ (given), {
      imageOrientation: "from-image",
      colorSpaceConversion: "none",
      premultiplyAlpha: "none",
    });
  } catch {
    throw new PhotoError(
      "This browser cannot read the photo: it is damaged, or of another kind. JPEG, PNG and WebP are read everywhere.",
    );
  }
  try {
    return pixelsOf(bitmap);
  } finally {
    bitmap.close();
  }
}

/**
 * @param {ImageBitmap} bitmap
 * @returns {Pixels}
 */
function pixelsOf(bitmap) {
  const { width, height } = bitmap;
  checkSize(width, height);
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  if (context === null) throw new PhotoError(`This browser has no memory left for ${width} x ${height} pixels.`);
  context.fillStyle = "white";
  context.fillRect(0, 0, width, height);
  context.drawImage(bitmap, 0, 0);
  return checkedPixels(context.getImageData(0, 0, width, height));
}
