// A heatmap enlarged, with its other pictures; arrows go to neighbours, in the grid and enlarged. All else is HTML and CSS.
const rows = [...document.querySelectorAll(".grid tbody tr")];
const cells = rows.map((row) => [...row.querySelectorAll(".cell button")]);
const methods = [...document.querySelectorAll(".grid thead th")];
const large = document.getElementById("large");
const arrows = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };
let at = [0, 0], enlarged = at;

const beside = ([down, across]) => cells[at[0] + down]?.[at[1] + across];

function enlarge() {
  enlarged = at;
  const [row, column] = at;
  const [title, about] = large.querySelectorAll("#large-title > *");
  const [named, label, score] = ["name", "label", "score"].map((part) => rows[row].querySelector(`.photo .${part}`).textContent);
  title.textContent = `${methods[column].dataset.title}: ${named}`;
  about.textContent = cells[row][column].parentNode.querySelector(".other")?.textContent ?? `${label} ${score}`;
  for (const image of large.querySelectorAll("img")) {
    const of = image.dataset.of;
    const shown = of === "photo" ? rows[row].querySelector(".photo img") : cells[row][column].querySelector(`.${of}`);
    image.src = shown.src;
    image.alt = shown.alt;
  }
  for (const button of large.querySelectorAll("[data-move]")) button.disabled = !beside(button.dataset.move.split(",").map(Number));
  if (!large.open) large.showModal();
}

const back = () => cells[enlarged[0]][enlarged[1]].focus();

function shut() {
  large.close(); // the browser goes to where it was opened
  back();
}

function move(way) {
  if (!beside(way)) return false;
  at = [at[0] + way[0], at[1] + way[1]];
  if (large.open) enlarge();
  else cells[at[0]][at[1]].focus();
  return true;
}

cells.forEach((line, row) => line.forEach((button, column) => {
  button.addEventListener("focus", () => { at = [row, column]; });
  button.addEventListener("click", () => { at = [row, column]; enlarge(); });
}));
document.addEventListener("keydown", (event) => {
  const way = arrows[event.key];
  const here = large.open || event.target.closest?.(".cell button");
  if (way && here && !event.ctrlKey && !event.metaKey && !event.altKey && move(way)) event.preventDefault();
});
large.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (button?.dataset.move) move(button.dataset.move.split(",").map(Number));
  else if (button || event.target === large) shut();
});
large.addEventListener("cancel", (event) => { event.preventDefault(); shut(); }); // Escape, a phone's way back
large.addEventListener("close", back); // however else it was shut
