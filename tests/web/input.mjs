// The way from pixels to a network's input, and the pictures, of cases that Python answers as well.
import fs from "node:fs";

const [given, out] = process.argv.slice(2);
const { client, cases, overlays } = JSON.parse(fs.readFileSync(given, "utf8"));
const { crop, cropBox, toInput } = await import(`${client}/src/input.js`);
const { overlay } = await import(`${client}/src/overlay.js`);
const read = (path) => fs.readFileSync(path);

for (const { pixels, width, height, preprocessing, seen, input } of cases) {
  const found = crop({ data: read(pixels), width, height }, preprocessing);
  fs.writeFileSync(seen, found.data);
  fs.writeFileSync(input, toInput(found, preprocessing));
}
for (const { photo, seen, heatmap, card, look, size: [width, height], out: picture } of overlays) {
  const [rows, columns] = card.preprocessing.crop;
  const bytes = read(heatmap);
  const explanation = {
    heatmap: new Float32Array(bytes.buffer, bytes.byteOffset, rows * columns),
    width: columns,
    height: rows,
    photo: { data: read(photo), width, height },
    seen: { data: read(seen), width: columns, height: rows },
  };
  fs.writeFileSync(picture, overlay(explanation, card, look).data);
}
fs.writeFileSync(out, JSON.stringify({ boxes: cases.map((one) => cropBox(one, one.preprocessing)) }));
