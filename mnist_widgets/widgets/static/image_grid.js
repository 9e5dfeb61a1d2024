// One page of a long row of images, as a listbox with a single Tab stop: the browser's half of
// `image_grid.py`. It draws what the model says, marks what was picked, and sends what is asked for:
// {select: image id} or {page: position of the page}. What is known of a picked image it shows in
// other widgets at once, until the kernel has answered.

// Where a key takes the cursor, counted over all pages; beyond the ends it stays at the end.
const MOVES = {
  ArrowLeft: ({ cursor }) => cursor - 1,
  ArrowRight: ({ cursor }) => cursor + 1,
  ArrowUp: ({ cursor, numColumns }) => cursor - numColumns,
  ArrowDown: ({ cursor, numColumns }) => cursor + numColumns,
  PageUp: ({ cursor, pageSize }) => cursor - pageSize,
  PageDown: ({ cursor, pageSize }) => cursor + pageSize,
  Home: ({ first }) => first,
  End: ({ first, pageSize }) => first + pageSize - 1,
};

function render({ model, el }, preview) {
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
  el.style.setProperty("--num-rows", Math.ceil(pageSize / numColumns));

  let shown = { ids: [], page: 0 }; // what is drawn and clicked; a newer page may be on its way
  let cursor = 0; // over all pages
  let awaitedPage = null; // where the keyboard went, until the kernel shows it
  let isEntering = false; // whether Enter was pressed on the way there
  let drawnSprite = null;
  let spriteUrl = null;

  // Pictures, names and frames change together, once the browser has decoded the pictures.
  async function update() {
    const sprite = model.get("sprite");
    if (sprite !== drawnSprite && sprite.byteLength) {
      const url = URL.createObjectURL(new Blob([sprite], { type: "image/png" }));
      await decode(url);
      if (sprite !== model.get("sprite")) return URL.revokeObjectURL(url); // outrun by a newer one
      list.style.setProperty("--sprite", `url("${url}")`);
      if (spriteUrl) URL.revokeObjectURL(spriteUrl);
      drawnSprite = sprite;
      spriteUrl = url;
    }
    draw();
  }

  function draw() {
    const [names, verdicts] = [model.get("names"), model.get("verdicts")];
    const ids = model.get("image_ids");
    const selected = preview.picked ?? model.get("selected");
    shown = { ids, page: model.get("page_index") };
    options.forEach((option, position) => {
      option.toggleAttribute("data-empty", position >= ids.length);
      const name = names[position] ?? "";
      describe(option, {
        title: name,
        "aria-label": name,
        "data-verdict": verdicts[position] ?? "",
        "aria-selected": String(ids[position] === selected),
      });
    });
    list.setAttribute("aria-label", model.get("label"));
    notice.textContent = ids.length ? "" : model.get("notice");
    placeCursor();
  }

  function placeCursor() {
    const { ids, page } = shown;
    cursor = clamp(cursor, model.get("num_images"));
    const hasArrived = pageOf(cursor) === page && awaitedPage === page;
    if (pageOf(cursor) !== awaitedPage || hasArrived) awaitedPage = null;
    if (awaitedPage === null && pageOf(cursor) !== page) {
      cursor = clamp(page * pageSize + (cursor % pageSize), model.get("num_images"));
    }
    const current = ids.length && awaitedPage === null ? options[cursor % pageSize] : null;
    for (const option of options) option.toggleAttribute("data-cursor", option === current);
    list.setAttribute("aria-activedescendant", current?.id ?? "");
    if (hasArrived) current?.scrollIntoView({ block: "nearest", inline: "nearest" });
    if (hasArrived && isEntering) select();
  }

  function moveTo(position) {
    cursor = clamp(position, model.get("num_images"));
    isEntering = false;
    awaitedPage = pageOf(cursor);
    if (awaitedPage !== shown.page) model.send({ page: awaitedPage });
    placeCursor();
  }

  function select() {
    isEntering = awaitedPage !== null;
    const id = shown.ids[cursor % pageSize];
    if (isEntering || id === undefined) return;
    preview.pick(id);
  }

  function onKeyDown(event) {
    const hasModifier = event.ctrlKey || event.altKey || event.metaKey || event.shiftKey;
    const move = MOVES[event.key];
    if (hasModifier || !(move || event.key === "Enter" || event.key === " ")) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    const first = shown.page * pageSize;
    if (move) moveTo(move({ cursor, first, pageSize, numColumns: countColumns(list) }));
    else select();
  }

  // Notebook 7 takes the arrow keys before they reach an output, so they are caught on their way
  // down from the window, but only while the list has the focus.
  const catchKeys = () => window.addEventListener("keydown", onKeyDown, { capture: true });
  const releaseKeys = () => window.removeEventListener("keydown", onKeyDown, { capture: true });
  list.addEventListener("focus", catchKeys);
  list.addEventListener("blur", releaseKeys);

  list.addEventListener("click", (event) => {
    const position = options.indexOf(event.target.closest("[role=option]"));
    if (position < 0) return;
    list.focus({ preventScroll: true });
    moveTo(shown.page * pageSize + position);
    select();
  });

  const stopObserving = preview.observe(update);
  model.on("change", update);
  update();

  return () => {
    releaseKeys();
    model.off("change", update);
    stopObserving();
    if (spriteUrl) URL.revokeObjectURL(spriteUrl);
  };

  function pageOf(position) {
    return Math.floor(position / pageSize);
  }
}

function makeOption(position, numColumns) {
  const option = document.createElement("div");
  option.className = "mw-grid-image";
  option.id = `mw-grid-${Math.random().toString(36).slice(2)}`;
  option.setAttribute("role", "option");
  option.style.setProperty("--column", position % numColumns);
  option.style.setProperty("--row", Math.floor(position / numColumns));
  return option;
}

// The picked image: marked at once, and what is known of it shown in other widgets, by all views of
// one grid. The kernel may be busy or far away. What it says of these widgets meanwhile may still be
// of another image, so it is kept back until the kernel has answered the pick, and then shown.
class Preview {
  picked = null; // an image id, until the kernel has answered
  #shown = null; // the image that the other widgets show
  #said = new Map(); // by these widgets: what the kernel has said that they show
  #onChange = [];

  constructor(model) {
    this.model = model;
    this.numAwaited = 0;
    this.numAnswered = model.get("num_picks");
    this.listeners = {
      "change:num_picks": () => this.#onAnswer(),
      "change:image_previews": () => this.#show(),
      "change:answer_previews": () => this.#show(), // the network may have learned more about it
    };
    for (const [event, listener] of Object.entries(this.listeners)) model.on(event, listener);
  }

  pick(id) {
    this.picked = id;
    this.numAwaited += 1;
    this.model.send({ select: id });
    for (const listener of this.#onChange) listener();
    this.#show();
  }

  observe(listener) {
    this.#onChange.push(listener);
    return () => (this.#onChange = this.#onChange.filter((other) => other !== listener));
  }

  close() {
    for (const [event, listener] of Object.entries(this.listeners)) this.model.off(event, listener);
    this.#end();
  }

  #onAnswer() {
    const numAnswered = this.model.get("num_picks");
    this.numAwaited = Math.max(0, this.numAwaited - (numAnswered - this.numAnswered));
    this.numAnswered = numAnswered;
    if (this.numAwaited === 0) this.#end();
  }

  #end() {
    this.picked = null;
    this.#letGo();
  }

  async #show() {
    const id = this.picked;
    if (id === null) return;
    const [image, answer] = ["image_previews", "answer_previews"].map(
      (name) => JSON.parse(this.model.get(name))[id],
    );
    if (!image || !answer) {
      if (this.#shown !== id) this.#letGo(); // all of it or nothing
      return;
    }
    const states = Object.entries({ ...image, ...answer });
    const targets = await Promise.all(
      states.map(([modelId]) => this.model.widget_manager.get_model(modelId)),
    ).catch(() => null); // a widget is gone
    if (targets === null || this.picked !== id) return; // or outrun, by an answer or a pick
    targets.forEach((target, position) => this.#hold(target, asKept(states[position][1])));
    this.#shown = id;
  }

  #hold(target, state) {
    const names = Object.keys(state);
    const said =
      this.#said.get(target) ?? Object.fromEntries(names.map((name) => [name, target.get(name)]));
    this.#said.set(target, said);
    target.set_state = (update) => {
      const others = {};
      for (const name of Object.keys(update)) (name in state ? said : others)[name] = update[name];
      setState(target, others);
    };
    setState(target, state);
  }

  #letGo() {
    for (const [target, said] of this.#said) {
      delete target.set_state;
      setState(target, said);
    }
    this.#said.clear();
    this.#shown = null;
  }
}

// As for a message of the kernel: what is set so is not sent back to it.
function setState(target, state) {
  Object.getPrototypeOf(target).set_state.call(target, state);
}

// A state with numbers as bqplot keeps them, so that the kernel's equal answer is no change.
function asKept(state) {
  const keep = (value) => (typeof value?.[0] === "number" ? Float64Array.from(value) : value);
  return Object.fromEntries(Object.entries(state).map(([name, value]) => [name, keep(value)]));
}

// Write only what is new: what is written is laid out and painted again, changed or not.
function describe(option, attributes) {
  for (const [name, value] of Object.entries(attributes)) {
    if (option.getAttribute(name) !== value) option.setAttribute(name, value);
  }
}

async function decode(url) {
  const image = new Image();
  image.src = url;
  await image.decode().catch(() => {}); // a picture that cannot be shown shows nothing
}

// The window's width decides how many columns there are.
function countColumns(list) {
  return getComputedStyle(list).gridTemplateColumns.split(" ").length;
}

function clamp(position, numImages) {
  return Math.max(0, Math.min(position, numImages - 1));
}

// Called once for each grid; views of it share one preview.
export default () => {
  let preview;
  return {
    initialize({ model }) {
      preview = new Preview(model);
      return () => preview.close();
    },
    render: (view) => render(view, preview),
  };
};
