// Which class, and why: node explain.mjs MODEL.onnx PHOTO OVERLAY.png
import sharp from "sharp";
import { load, overlay } from "smoothserve";

const [model, photo, out] = process.argv.slice(2);
const explainer = await load(model);
const answer = await explainer.explain(photo);
console.log(answer.label, answer.probability);
const { data, width, height } = overlay(answer, explainer.card, { whole: true });
await sharp(data, { raw: { width, height, channels: 4 } }).png().toFile(out);
