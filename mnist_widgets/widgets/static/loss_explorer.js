// Scores, and the probabilities, the loss and the gradient that follow from them: the browser's half
// of `loss_explorer.py`. The page computes all numbers, also while the kernel is busy. The functions
// for that come from `loss_explorer_logic.js`, which `loss_explorer.py` puts before this file, as it
// does `elements.js`.
//
// Each part of the page has an `element` to append and a function `show`, which takes what the person
// has chosen (`state`) and what follows from it (`result`).

const SLIDER_REACH = 10; // sliders go from minus this to this, or as far as the largest score
const SPOKEN_AFTER_MS = 1000; // a screen reader first says the slider's own value

const indexed = (letter, index = "<i>i</i>") => `<i>${letter}</i><sub>${index}</sub>`;
const SUM = "Σ<sub><i>k</i></sub> ";
const SOFTMAX =
  `${indexed("p")} = exp(${indexed("z")} / <i>T</i>) / ` +
  `${SUM}exp(${indexed("z", "<i>k</i>")} / <i>T</i>)`;
const FORMULAS = {
  Softmax: {
    once: SOFTMAX,
    twice: `${SOFTMAX}, then ${indexed("q")} = exp(${indexed("p")}) / ${SUM}exp(${indexed("p", "<i>k</i>")})`,
  },
  "Cross-entropy": {
    once: `loss = −ln ${indexed("p", "true")}`,
    twice: `loss = −ln ${indexed("q", "true")}`,
  },
  Gradient: {
    once: `∂loss / ∂${indexed("z")} = (${indexed("p")} − ${indexed("y")}) / <i>T</i>`,
    twice:
      `∂loss / ∂${indexed("z")} = ${indexed("p")} (${indexed("g")} − ` +
      `${SUM}${indexed("p", "<i>k</i>")} ${indexed("g", "<i>k</i>")}) / <i>T</i>, ` +
      `with ${indexed("g")} = ${indexed("q")} − ${indexed("y")}`,
  },
};
const HINT =
  "y is 1 for the true class and 0 for the others. A training step moves each score against its " +
  "gradient: a negative gradient raises the score.";

function render({ model, el }) {
  const write = (values) => {
    model.set(values); // its change event draws
    model.save_changes();
  };
  const parts = [
    makeControls(model, write),
    makeStats(model.get("class_names").length),
    makeTable(model, write),
    makeFormulas(),
    makeSpoken(),
  ];
  el.append(...parts.map((part) => part.element));

  function draw() {
    const state = {
      scores: model.get("scores"),
      trueClass: model.get("true_class"),
      temperature: model.get("temperature"),
      isTwice: model.get("softmax_twice"),
    };
    const result = explainLoss(state);
    for (const part of parts) part.show(state, result);
    el.toggleAttribute("data-twice", state.isTwice);
  }

  draw();
  model.on("change", draw);
  return () => {
    model.off("change", draw);
    for (const part of parts) part.stop?.();
  };
}

// --- The parts

function makeControls(model, write) {
  const limits = model.get("temperature_limits");
  const onTemperature = (temperature) => write({ temperature });
  const temperature = makeNumber("Temperature T", limits, toPosition, toTemperature, onTemperature);
  temperature.setRange(...limits.map(toPosition));
  const twice = make("input", { type: "checkbox" });
  twice.addEventListener("change", () => write({ softmax_twice: twice.checked }));
  const restart = make("button", { className: "mw-opener", textContent: "Start again" });
  restart.addEventListener("click", () => write(model.get("first_values")));
  const element = make(
    "div",
    { className: "mw-loss-controls" },
    make("label", { className: "mw-loss-temperature" }, "Temperature T", temperature.slider),
    temperature.field,
    make("label", { className: "mw-loss-twice" }, twice, "Softmax applied twice"),
    restart,
  );
  const show = (state) => {
    temperature.show(state.temperature);
    twice.checked = state.isTwice;
  };
  return { element, show };
}

// The loss, and numbers to compare it with.
function makeStats(numClasses) {
  const stats = ["Loss", "Smallest possible loss", "Loss with equal scores", "Largest gradient"].map(
    (title) => {
      const [value, note] = [make("b"), make("small")];
      const box = make("div", {}, make("dt", { textContent: title }), make("dd", {}, value, note));
      return { value, note, box };
    },
  );
  const show = ({ isTwice }, result) => {
    const once = writeNumber(result.largestOnceGradient);
    const shown = [
      [result.loss, `−ln ${writeArgument(result.loss)}`],
      [result.smallestLoss, isTwice ? "0 with one softmax" : "p = 1 for the true class"],
      [result.equalLoss, `ln ${numClasses}`],
      [result.largestGradient, isTwice ? `${once} with one softmax` : "without its sign"],
    ];
    stats.forEach(({ value, note }, at) => {
      const [number, words] = shown[at];
      value.textContent = writeNumber(number);
      value.dataset.value = number;
      note.textContent = words;
    });
  };
  const boxes = stats.map((stat) => stat.box);
  return { element: make("dl", { className: "mw-loss-list mw-loss-stats" }, ...boxes), show };
}

// A row for each class.
function makeTable(model, write) {
  const group = makeId(); // the radio buttons of this view
  const rows = model.get("class_names").map((name, label) => makeRow(model, write, group, name, label));
  const gradientFormula = make("small");
  const title = (part, words, symbol) =>
    make("div", { className: `mw-loss-${part}`, role: "columnheader" }, words, symbol);
  const symbol = (letter) => make("small", { textContent: letter });
  const head = make(
    "div",
    { className: "mw-loss-row mw-loss-head", role: "row" },
    title("class", "True class", symbol("y")),
    title("score", "Score", symbol("z")),
    title("p", "Softmax", symbol("p")),
    title("q", "Softmax again", symbol("q")),
    title("gradient", "Gradient", gradientFormula),
  );
  const element = make(
    "div",
    { role: "table", ariaLabel: "Scores, probabilities and gradient" },
    head,
    ...rows.map((row) => row.element),
  );
  const longest = Math.min(24, Math.max(...model.get("class_names").map((name) => name.length)));
  element.style.setProperty("--mw-loss-class", `max(96px, ${longest}ch + 44px)`);
  let reach = SLIDER_REACH;
  const show = (state, result) => {
    // It does not shrink: a slider must not move under the hand.
    const isAtStart = String(state.scores) === String(model.get("first_values").scores);
    const sizes = state.scores.map((score) => Math.ceil(Math.abs(score)));
    reach = Math.max(isAtStart ? SLIDER_REACH : reach, ...sizes);
    rows.forEach((row, label) => row.show(label, state, result, reach));
    const once = state.temperature === 1 ? "p − y" : "(p − y) / T";
    gradientFormula.textContent = state.isTwice ? "∂loss / ∂z" : once;
  };
  return { element, show };
}

function makeRow(model, write, group, name, label) {
  const limit = model.get("score_limit");
  const same = (number) => number;
  const score = makeNumber(`Score of ${name}`, [-limit, limit], same, same, (number) =>
    write({ scores: model.get("scores").map((old, at) => (at === label ? number : old)) }),
  );
  const radio = make("input", { type: "radio", name: group, ariaLabel: `True class ${name}` });
  radio.setAttribute(...NO_SHORTCUTS);
  radio.addEventListener("change", () => write({ true_class: label }));
  const [p, q, gradient] = ["p", "q", "gradient"].map(makeBar);
  const element = make(
    "div",
    { className: "mw-loss-row", role: "row" },
    make(
      "div",
      { className: "mw-loss-class", role: "rowheader" },
      make("label", {}, radio, make("span", { textContent: name, title: name })),
    ),
    make("div", { className: "mw-loss-score", role: "cell" }, score.slider, score.field),
    ...[p, q, gradient].map((bar) => bar.cell),
  );
  const show = (at, state, result, reach) => {
    const isTrue = at === state.trueClass;
    score.setRange(-reach, reach);
    score.show(state.scores[at]);
    radio.checked = isTrue;
    element.toggleAttribute("data-true", isTrue);
    p.show(result.probabilities[at], writePercent, 0, 1);
    q.show(result.again[at], writePercent, 0, 1);
    const steepest = Math.max(1, 1 / state.temperature);
    gradient.show(result.gradient[at], writeSigned, -steepest, steepest);
  };
  return { element, show };
}

function makeFormulas() {
  const lines = Object.keys(FORMULAS).map((name) => [make("dt", { textContent: name }), make("dd")]);
  const list = make("dl", { className: "mw-loss-list mw-loss-formulas" }, ...lines.flat());
  const hint = make("p", { className: "mw-loss-hint", textContent: HINT });
  let shown = null;
  const show = ({ isTwice }) => {
    const mode = isTwice ? "twice" : "once";
    if (mode === shown) return;
    shown = mode;
    for (const [{ textContent: name }, formula] of lines) formula.innerHTML = FORMULAS[name][mode];
  };
  return { element: make("div", {}, list, hint), show };
}

// The new loss, for screen readers, once nothing changes any more.
function makeSpoken() {
  const element = make("div", { className: "mw-spoken", role: "status" });
  let timer = null;
  let last = null; // the first sentence can be found by reading the page
  const show = (_state, { loss }) => {
    const sentence = `Loss ${writeNumber(loss)}, minus ln ${writeArgument(loss)}.`;
    clearTimeout(timer);
    if (last !== null && last !== sentence) {
      timer = setTimeout(() => (element.textContent = last = sentence), SPOKEN_AFTER_MS);
    }
    last ??= sentence;
  };
  return { element, show, stop: () => clearTimeout(timer) };
}

// --- What the parts are built of

// A slider and a field for one number.
function makeNumber(name, [least, greatest], toSlider, fromSlider, onNumber) {
  const slider = make("input", { type: "range", ariaLabel: name, step: 0.1 });
  slider.setAttribute(...NO_SHORTCUTS);
  slider.addEventListener("input", () => onNumber(fromSlider(slider.valueAsNumber)));
  const field = make("input", { type: "text", inputMode: "decimal", ariaLabel: `${name}, number` });
  field.autocomplete = "off";
  let shown = null;
  const read = () => {
    if (field.value === writeField(shown)) return; // which may be rounded
    const number = readField(field.value, least, greatest);
    field.value = writeField(shown); // replaces a text that is not a number
    if (number !== null) onNumber(number);
  };
  field.addEventListener("change", read);
  // Chromium sends no change event at Enter for a text that was pasted or dictated.
  field.addEventListener("keydown", (event) => event.key === "Enter" && read());
  const setRange = (min, max) => Object.assign(slider, { min, max });
  const show = (number) => {
    slider.value = toSlider(number);
    slider.setAttribute("aria-valuetext", writeField(number));
    if (shown !== number) field.value = writeField(number); // a text that is being typed stays
    shown = number;
  };
  return { slider, field, setRange, show };
}

// A cell with a bar from 0 to a number, and the number as text; `data-value` has all its digits.
function makeBar(part) {
  const [bar, text] = [make("i"), make("span")];
  const track = make("span", { className: "mw-loss-track" }, bar);
  const cell = make("div", { className: `mw-loss-${part}`, role: "cell" }, track, text);
  const show = (number, toText, least, greatest) => {
    const toPercent = (value) => (100 * (value - least)) / (greatest - least);
    const [from, to] = [Math.min(number, 0), Math.max(number, 0)].map(toPercent);
    bar.style.left = `${from}%`;
    bar.style.width = `${to - from}%`;
    text.textContent = toText(number);
    cell.dataset.value = number;
  };
  return { cell, show };
}

export default { render };
