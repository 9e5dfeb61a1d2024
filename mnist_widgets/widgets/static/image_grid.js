// One page of a long row of images, as a listbox with a single Tab stop: the browser's half of
// `image_grid.py`. The page writes `selected`, the kernel the images and the newest answers. What is
// shown of the selected image is derived here from both, and written into other widgets: a click is
// answered at once, even if the kernel is busy or far away. The functions for that, and
// for the cursor, come from `image_grid_logic.js`, which `image_grid.py` puts before this file, as it
// does `elements.js`.

// --- What all views of one grid share

const KERNEL_TRAITS = [
  ...["sprite", "image_ids", "num_visible", "names", "verdicts", "labels", "marks"],
  ...["sentences", "probabilities", "class_names", "page_index", "num_images", "summary"],
  ...["label", "notice"],
];

// The newest page whose pictures are decoded. Pictures, names and frames change together.
class Page {
  state = null; // by trait, what the kernel has written
  url = ""; // of the pictures
  draws = new Set(); // a function for each view
  #pictures = null; // the same, to cut single ones out
  #newest = null; // a sprite, perhaps still being decoded
  #drawn = null;
  #targets = []; // where to write what is derived: its name, a model, and a trait of that

  constructor(model) {
    this.model = model;
    this.onChange = () => this.#update();
    this.onSelect = () => this.#announce();
    this.onTargets = () => this.#findTargets();
    model.on("change", this.onChange);
    model.on("change:selected", this.onSelect);
    model.on("change:targets", this.onTargets);
    this.#findTargets();
    this.#update();
  }

  close() {
    this.model.off("change", this.onChange);
    this.model.off("change:selected", this.onSelect);
    this.model.off("change:targets", this.onTargets);
    this.#newest = null; // a sprite that is being decoded comes too late
    URL.revokeObjectURL(this.url);
  }

  async #update() {
    if (KERNEL_TRAITS.every((name) => this.model.get(name) === this.state?.[name])) return;
    const sprite = this.model.get("sprite");
    if (sprite !== this.#newest && sprite.byteLength) {
      this.#newest = sprite;
      const url = URL.createObjectURL(new Blob([sprite], { type: "image/png" }));
      const pictures = await decode(url);
      URL.revokeObjectURL(sprite === this.#newest ? this.url : url);
      if (sprite !== this.#newest) return; // a newer one came meanwhile
      [this.url, this.#pictures, this.#drawn] = [url, pictures, sprite];
    }
    if (this.#newest !== this.#drawn) return; // once it is decoded, all this is read, too
    this.state = Object.fromEntries(KERNEL_TRAITS.map((name) => [name, this.model.get(name)]));
    this.#announce();
  }

  #announce() {
    if (this.state === null) return;
    this.#derive();
    for (const draw of this.draws) draw();
  }

  async #findTargets() {
    const targets = this.model.get("targets");
    const find = ([, id]) => this.model.widget_manager.get_model(id).catch(() => null);
    const models = await Promise.all(targets.map(find)); // null: closed meanwhile
    if (targets !== this.model.get("targets")) return; // newer ones came meanwhile
    this.#targets = targets
      .map(([name, , trait], i) => ({ name, model: models[i], trait }))
      .filter(({ model }) => model !== null);
    this.#announce();
  }

  // `set` alone draws nothing where the value is the same, and sends the kernel nothing: only the
  // next `save_changes` of that model does, as a chart's footer calls it for its table.
  #derive() {
    const state = { ...this.state, selected: this.model.get("selected") };
    // all of it or nothing, so that picture, bars and words are those of one image
    const shown = deriveShown(state);
    if (shown === null) return;
    const picture = state.selected < 0 ? "" : this.#cutOut(state);
    const derived = { ...shown, picture };
    for (const { name, model, trait } of this.#targets) model.set(trait, derived[name]);
  }

  #cutOut({ image_ids, selected }) {
    const position = image_ids.indexOf(selected);
    const numColumns = this.model.get("num_columns");
    const canvas = Object.assign(document.createElement("canvas"), { width: 28, height: 28 });
    const [x, y] = [28 * (position % numColumns), 28 * Math.floor(position / numColumns)];
    canvas.getContext("2d").drawImage(this.#pictures, x, y, 28, 28, 0, 0, 28, 28);
    return `<img alt="The picked image, enlarged" src="${canvas.toDataURL()}">`;
  }
}

async function decode(url) {
  const image = new Image();
  image.src = url;
  await image.decode().catch(() => {}); // a picture that cannot be shown shows nothing
  return image;
}

// --- One view

function render({ model, el }, page) {
  const list = document.createElement("div");
  list.className = "mw-grid-list";
  list.tabIndex = 0;
  list.setAttribute("role", "listbox");
  const notice = document.createElement("div");
  notice.className = "mw-grid-notice";
  el.append(list, notice);

  const [pageSize, numColumns] = [model.get("page_size"), model.get("num_columns")];
  const options = Array.from({ length: pageSize }, (_, position) => makeOption(position, numColumns));
  list.append(...options);
  el.style.setProperty("--num-columns", numColumns);
  // one picture more than a page has: that of a selected image on another page
  el.style.setProperty("--num-rows", Math.ceil((pageSize + 1) / numColumns));

  let cursor = 0; // over all pages
  let awaitedPage = null; // where the keyboard went, until the kernel shows it
  let isEntering = false; // whether Enter was pressed on the way there
  let drawnUrl = "";

  function draw() {
    const { image_ids, num_visible, names, verdicts, marks, label, notice: words } = page.state;
    if (drawnUrl !== page.url) list.style.setProperty("--sprite", `url("${page.url}")`);
    drawnUrl = page.url;
    const selected = model.get("selected");
    options.forEach((option, position) => {
      const isEmpty = position >= num_visible;
      option.toggleAttribute("data-empty", isEmpty);
      const name = isEmpty ? "" : names[position];
      describe(option, {
        title: name,
        "aria-label": name,
        "data-verdict": isEmpty ? "" : verdicts[position],
        "data-mark": isEmpty ? "" : marks[position],
        "aria-selected": String(!isEmpty && image_ids[position] === selected),
      });
    });
    describe(list, { "aria-label": label });
    notice.textContent = num_visible ? "" : words;
    placeCursor();
  }

  function placeCursor() {
    const { page_index, num_images, num_visible } = page.state;
    const place = { cursor, awaitedPage, page: page_index, pageSize, numImages: num_images };
    let hasArrived;
    ({ cursor, awaitedPage, hasArrived } = settleCursor(place));
    const current = num_visible && awaitedPage === null ? options[cursor % pageSize] : null;
    for (const option of options) option.toggleAttribute("data-cursor", option === current);
    describe(list, { "aria-activedescendant": current?.id ?? "" });
    if (hasArrived) current?.scrollIntoView({ block: "nearest", inline: "nearest" });
    if (hasArrived && isEntering) select();
  }

  function moveTo(position) {
    cursor = position;
    isEntering = false;
    awaitedPage = Math.floor(position / pageSize);
    if (awaitedPage !== page.state.page_index) model.send({ page: awaitedPage });
    placeCursor();
  }

  function select() {
    isEntering = awaitedPage !== null;
    const position = cursor % pageSize;
    if (isEntering || position >= page.state.num_visible) return;
    model.set("selected", page.state.image_ids[position]); // `Page` then derives and draws
    model.save_changes();
  }

  function onKeyDown(event) {
    if (event.ctrlKey || event.altKey || event.metaKey || event.shiftKey || !page.state) return;
    const { page_index, num_images } = page.state;
    // the window's width decides how many columns there are
    const numColumns = getComputedStyle(list).gridTemplateColumns.split(" ").length;
    const place = { cursor, page: page_index, pageSize, numColumns, numImages: num_images };
    const position = moveCursor(event.key, place);
    if (position === null && event.key !== "Enter" && event.key !== " ") return;
    event.preventDefault();
    event.stopImmediatePropagation();
    if (position === null) select();
    else moveTo(position);
  }

  // Notebook 7 takes the arrow keys before they reach an output, so they are caught on their way
  // down from the window, but only while the list has the focus.
  const catchKeys = () => window.addEventListener("keydown", onKeyDown, { capture: true });
  const releaseKeys = () => window.removeEventListener("keydown", onKeyDown, { capture: true });
  list.addEventListener("focus", catchKeys);
  list.addEventListener("blur", releaseKeys);

  list.addEventListener("click", (event) => {
    const position = options.indexOf(event.target.closest("[role=option]"));
    if (position < 0 || !page.state) return;
    list.focus({ preventScroll: true });
    moveTo(page.state.page_index * pageSize + position);
    select();
  });

  page.draws.add(draw);
  if (page.state) draw();

  return () => {
    releaseKeys();
    page.draws.delete(draw);
  };
}

function makeOption(position, numColumns) {
  const option = make("div", { className: "mw-grid-image", id: makeId() });
  option.setAttribute("role", "option");
  option.toggleAttribute("data-empty", true);
  option.style.setProperty("--column", position % numColumns);
  option.style.setProperty("--row", Math.floor(position / numColumns));
  return option;
}

// Write only what is new: what is written is laid out and painted again, changed or not.
function describe(element, attributes) {
  for (const [name, value] of Object.entries(attributes)) {
    if (element.getAttribute(name) !== value) element.setAttribute(name, value);
  }
}

// Called once for each grid; its views share one page.
export default () => {
  let page;
  return {
    initialize({ model }) {
      page = new Page(model);
      return () => page.close();
    },
    render: (view) => render(view, page),
  };
};
