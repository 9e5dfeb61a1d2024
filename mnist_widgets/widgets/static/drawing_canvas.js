// A square to draw in with mouse, finger, stylus, single clicks or keys, and a button that adds the
// drawing with its label to a set: the browser's half of `drawing_canvas.py`. The strokes, the points
// of the grid and the sentences come from `drawing_canvas_logic.js`, which `drawing_canvas.py` puts
// before this file, as it does `elements.js`.

const HINT = "Draw with a mouse, a finger or a pen.";
const CLICK_HINT = "Each click draws a line to a point. Click the last point again to lift the pen.";
const KEY_HINT = "Keys: arrows move, Space draws a line to here, Escape lifts the pen, Ctrl+Z undoes.";

// --- One view

function render({ model, el }, drawing) {
  const canvas = make("canvas", { className: "mw-canvas-area", tabIndex: 0 });
  canvas.setAttribute("role", "application");
  canvas.setAttribute("aria-roledescription", "drawing area");
  canvas.setAttribute(...NO_SHORTCUTS);
  const undo = make("button", { className: "mw-opener", textContent: "Undo" });
  const clear = make("button", { className: "mw-opener", textContent: "Clear" });
  const pen = makePen(model);
  const clicks = make("input", { type: "checkbox" });
  const label = makeLabel(model, drawing);
  const add = make("button", {
    className: "mw-opener",
    textContent: "Add to my set",
    title: "Keep this drawing with its label, and begin the next one",
  });
  const hint = make("p", { className: "mw-canvas-hint", id: makeId() });
  const spoken = make("p", { className: "mw-canvas-words", role: "status" });
  canvas.setAttribute("aria-describedby", hint.id);
  el.append(
    canvas,
    make("div", { className: "mw-canvas-controls" }, undo, clear, pen.element),
    make("label", { className: "mw-canvas-clicks" }, clicks, "Draw with clicks"),
    hint,
    make("div", { className: "mw-canvas-controls" }, label.element, add),
    spoken,
  );

  let cursor = START;
  let hasKeys = false; // whether keys moved the cursor since the last pointer
  let pointer = null; // the id of the pointer that draws
  let frame = null;

  function draw() {
    frame ??= requestAnimationFrame(() => {
      frame = null;
      const number = drawing.strokes.length;
      canvas.setAttribute("aria-label", `Drawing area. ${describeCount(number)}`);
      canvas.dataset.points = countPoints(drawing.strokes);
      write(spoken, drawing.words);
      spoken.classList.toggle("mw-alert", drawing.isError);
      write(hint, `${clicks.checked ? CLICK_HINT : HINT} ${KEY_HINT}`);
      const isFocused = document.activeElement === canvas;
      paint(canvas, drawing, {
        pen: model.get("pen"),
        showsGrid: clicks.checked || (isFocused && hasKeys),
        cursor: isFocused && hasKeys ? cursor : null,
      });
    });
  }

  // --- Pointers

  const toCanvas = ({ clientX, clientY }) =>
    toPoint(clientX, clientY, canvas.getBoundingClientRect());

  function onDown(event) {
    if (event.button !== 0 || pointer !== null) return;
    event.preventDefault(); // no selection of text, no drag of the cell
    canvas.focus({ preventScroll: true });
    hasKeys = false;
    if (clicks.checked) {
      cursor = toNearestCell(toCanvas(event));
      drawing.joinTo(cursor);
    } else if (drawing.begin(toCanvas(event))) {
      pointer = event.pointerId;
      canvas.setPointerCapture(pointer);
    }
  }

  function onMove(event) {
    if (event.pointerId !== pointer) return;
    const events = event.getCoalescedEvents?.() ?? [];
    if (!drawing.extend((events.length ? events : [event]).map(toCanvas))) stop();
  }

  function onUp(event) {
    if (event.pointerId !== pointer) return;
    if (event.type === "pointerup") drawing.extend([toCanvas(event)]);
    stop();
  }

  function stop() {
    if (pointer === null) return;
    const id = pointer;
    pointer = null; // so that the event of the lost capture finds none
    if (canvas.hasPointerCapture(id)) canvas.releasePointerCapture(id);
    drawing.end();
  }

  canvas.addEventListener("pointerdown", onDown);
  canvas.addEventListener("pointermove", onMove);
  for (const type of ["pointerup", "pointercancel", "lostpointercapture"]) {
    canvas.addEventListener(type, onUp);
  }
  canvas.addEventListener("contextmenu", (event) => event.preventDefault()); // of a long touch

  // --- Keys and buttons

  function onKeyDown(event) {
    const isUndo = (event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "z";
    if (event.altKey || (!isUndo && (event.ctrlKey || event.metaKey || event.shiftKey))) return;
    const moved = moveCursor(event.key, cursor);
    if (isUndo && !event.shiftKey) drawing.undo();
    else if (moved) drawing.sayCell((cursor = moved));
    else if (event.key === " " || event.key === "Enter") event.repeat || drawing.joinTo(cursor);
    else if (event.key === "Escape") drawing.liftPen();
    else return;
    event.preventDefault();
    event.stopImmediatePropagation();
    hasKeys = true;
    draw();
  }

  // Notebook 7 takes the arrow keys before they reach an output, so they are caught on their way
  // down from the window, but only while the canvas has the focus.
  const catchKeys = () => window.addEventListener("keydown", onKeyDown, { capture: true });
  const releaseKeys = () => window.removeEventListener("keydown", onKeyDown, { capture: true });
  canvas.addEventListener("focus", () => {
    hasKeys = canvas.matches(":focus-visible");
    catchKeys();
    draw();
  });
  canvas.addEventListener("blur", () => {
    releaseKeys();
    draw();
  });
  undo.addEventListener("click", () => drawing.undo());
  clear.addEventListener("click", () => drawing.clear());
  clicks.addEventListener("change", () => drawing.liftPen());
  add.addEventListener("click", () => drawing.add(label.read()));

  const view = { draw, stop };
  drawing.views.add(view);
  model.on("change:pen", draw);
  const observer = new ResizeObserver(draw);
  observer.observe(canvas);
  const forgetDensity = watchDensity(draw);
  draw();

  return () => {
    stop();
    releaseKeys();
    drawing.views.delete(view);
    model.off("change:pen", draw);
    pen.close();
    label.close();
    observer.disconnect();
    forgetDensity();
    cancelAnimationFrame(frame);
  };
}

// The strokes are white on black, as MNIST's digits are, in light and dark themes.
function paint(canvas, { strokes, isPenDown }, { pen, showsGrid, cursor }) {
  const size = Math.round(canvas.clientWidth * window.devicePixelRatio);
  if (canvas.width !== size) canvas.width = canvas.height = size;
  const context = canvas.getContext("2d");
  context.setTransform(size, 0, 0, size, 0, 0);
  context.fillStyle = "black";
  context.fillRect(0, 0, 1, 1);
  if (showsGrid) paintGrid(context);
  Object.assign(context, { strokeStyle: "white", lineCap: "round", lineJoin: "round" });
  context.lineWidth = (2 * pen) / 28;
  for (const stroke of strokes) {
    context.beginPath();
    context.moveTo(...stroke[0]);
    // browsers draw no line that ends where it begins, so that of a single point is tiny
    if (stroke.length === 1) context.lineTo(stroke[0][0] + 1e-4, stroke[0][1]);
    for (const point of stroke.slice(1)) context.lineTo(...point);
    context.stroke();
  }
  context.lineWidth = 0.008;
  if (isPenDown) paintRing(context, strokes[strokes.length - 1].slice(-1)[0], 0.02, "black");
  if (cursor) paintRing(context, toGridPoint(cursor), 0.05, "#ffb000");
}

function paintGrid(context) {
  context.fillStyle = "#8c8c8c";
  for (let row = 0; row < GRID_SIZE; row += 1) {
    for (let column = 0; column < GRID_SIZE; column += 1) {
      context.beginPath();
      context.arc(...toGridPoint({ row, column }), 0.006, 0, 2 * Math.PI);
      context.fill();
    }
  }
}

function paintRing(context, point, radius, color) {
  context.strokeStyle = color;
  context.beginPath();
  context.arc(...point, radius, 0, 2 * Math.PI);
  context.stroke();
}

// Call a function when the page has another number of pixels: zoomed, or moved to another screen.
function watchDensity(onChange) {
  let query;
  const forget = () => query?.removeEventListener("change", watch);
  function watch(event) {
    forget();
    query = window.matchMedia(`(resolution: ${window.devicePixelRatio}dppx)`);
    query.addEventListener("change", watch);
    if (event) onChange();
  }
  watch();
  return forget;
}

// The pen's width.
function makePen(model) {
  const [min, max] = model.get("pen_limits");
  const slider = make("input", { type: "range", min, max, step: 0.1 });
  slider.setAttribute(...NO_SHORTCUTS);
  const show = () => {
    slider.value = model.get("pen");
    slider.setAttribute("aria-valuetext", `radius ${model.get("pen")} of 28 pixels`);
  };
  slider.addEventListener("input", () => {
    model.set("pen", slider.valueAsNumber);
    model.save_changes();
  });
  model.on("change:pen", show);
  show();
  const element = make("label", { className: "mw-canvas-pen" }, "Pen", slider);
  return { element, close: () => model.off("change:pen", show) };
}

// The list of labels. `read` returns what it shows, perhaps newer than what the kernel knows.
function makeLabel(model, drawing) {
  const list = make("select", { title: "What this drawing is", id: makeId() });
  list.setAttribute(...NO_SHORTCUTS);
  list.append(...["choose", ...model.get("class_names")].map((name) => new Option(name)));
  const show = () => (list.selectedIndex = model.get("label") + 1);
  const read = () => list.selectedIndex - 1;
  list.addEventListener("change", () => {
    model.set("label", read());
    model.save_changes();
    drawing.onLabel();
  });
  model.on("change:label", show);
  show();
  // beside the list, not around it, or its options would belong to its name
  const name = make("label", { textContent: "Label", htmlFor: list.id });
  const element = make("div", { className: "mw-canvas-label" }, name, list);
  return { element, read, close: () => model.off("change:label", show) };
}

// A screen reader may read a text again that is written again.
function write(element, words) {
  if (element.textContent !== words) element.textContent = words;
}

// Called once for each canvas; its views share one drawing.
export default () => {
  let drawing;
  return {
    initialize({ model }) {
      drawing = new Drawing(model);
      return () => drawing.close();
    },
    render: (view) => render(view, drawing),
  };
};
