// A combobox of class names: type to search, arrow keys and Enter to choose, Escape to leave.

const MOST = 50; // shown at once: of a thousand classes one types a few letters

/** Calls `choose(number)` when a class is chosen, `choose(null)` when the field is emptied. */
export class Picker {
  #names = [];
  #shares = null;
  #found = [];
  #active = -1;

  constructor(input, list, choose) {
    this.input = input;
    this.list = list;
    this.choose = choose;
    input.addEventListener("input", () => this.#open());
    input.addEventListener("focus", () => input.select());
    input.addEventListener("click", () => this.#open(""));
    input.addEventListener("keydown", (event) => this.#key(event));
    input.addEventListener("blur", () => this.close());
    list.addEventListener("pointerdown", (event) => {
      event.preventDefault(); // the field keeps the focus
      const item = event.target.closest("[data-class]");
      if (item) this.#take(Number(item.dataset.class));
    });
  }

  /** Names in the order of their numbers; scores sort what is found, the most probable first. */
  fill(names, scores) {
    this.#names = names;
    this.#shares = scores;
  }

  /** Show which class is explained. */
  show(index) {
    this.input.value = this.#names[index];
    this.close();
  }

  close() {
    this.list.hidden = true;
    this.input.setAttribute("aria-expanded", "false");
    this.input.removeAttribute("aria-activedescendant");
    this.#active = -1;
  }

  #open(text = this.input.value) {
    const wanted = text.trim().toLowerCase();
    const fits = (name, index) => name.toLowerCase().includes(wanted) || String(index) === wanted;
    const all = this.#names.flatMap((name, index) => (fits(name, index) ? [index] : []));
    if (this.#shares) all.sort((a, b) => this.#shares[b] - this.#shares[a] || a - b);
    this.#found = all.slice(0, MOST);
    this.list.replaceChildren(...this.#found.map((index) => this.#item(index)));
    if (all.length === 0) this.list.append(remark("No class is called so."));
    if (all.length > MOST) this.list.append(remark(`${all.length - MOST} more: type a part of the name.`));
    this.list.hidden = false;
    this.input.setAttribute("aria-expanded", "true");
    this.#mark(wanted && all.length ? 0 : -1);
  }

  #item(index) {
    const item = document.createElement("li");
    item.id = `class-${index}`;
    item.setAttribute("role", "option");
    item.dataset.class = index;
    item.setAttribute("aria-selected", "false");
    const name = document.createElement("span");
    name.textContent = this.#names[index];
    item.append(name, String(index));
    return item;
  }

  #mark(at) {
    this.list.querySelector("[aria-selected='true']")?.setAttribute("aria-selected", "false");
    this.#active = at;
    const item = this.list.querySelectorAll("[data-class]")[at];
    if (!item) return;
    item.setAttribute("aria-selected", "true");
    item.scrollIntoView({ block: "nearest" });
    this.input.setAttribute("aria-activedescendant", item.id);
  }

  #key(event) {
    const { key } = event;
    if (key === "ArrowDown" || key === "ArrowUp") {
      if (this.list.hidden) this.#open("");
      const step = key === "ArrowDown" ? 1 : -1, count = this.#found.length;
      if (count) this.#mark((this.#active + step + count) % count);
    } else if (key === "Enter" && !this.list.hidden && this.#active >= 0) this.#take(this.#found[this.#active]);
    else if (key === "Enter" && this.input.value.trim() === "") this.#take(null);
    else if (key === "Escape") this.close();
    else return;
    event.preventDefault();
  }

  #take(index) {
    if (index === null) this.close();
    else this.show(index);
    this.choose(index);
  }
}

function remark(text) {
  const item = document.createElement("li");
  item.className = "nothing";
  item.textContent = text;
  return item;
}
