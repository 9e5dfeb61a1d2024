// The logic of the drawing canvas, apart from the page: the strokes, the grid for keys and clicks, and
// sentences. `drawing_canvas.py` puts this file before `drawing_canvas.js`. The page writes the
// strokes; the kernel says which drawing is cleared.
//
// A point is [x, y] in [0, 1] from the top left, a stroke a list of points.

export const GRID_SIZE = 9; // points to a row and rows; far enough apart to hit with a trembling hand
const SEND_EVERY_MS = 100; // during a stroke
const CENTER = (GRID_SIZE - 1) / 2;
const MIN_DISTANCE = 0.004; // a ninth of a pixel of a 28 x 28 image
const DIGITS = 1e4; // points are rounded to 1 / DIGITS

// Return the point of a place in the window; places outside of the canvas go to its edge.
export function toPoint(clientX, clientY, { left, top, width, height }) {
  return [toShare(clientX - left, width), toShare(clientY - top, height)];
}

function toShare(offset, size) {
  return Math.round(DIGITS * Math.max(0, Math.min(offset / size, 1))) / DIGITS;
}

// Return whether a stroke needs a point besides its last one.
export function addsToStroke(stroke, [x, y]) {
  const [lastX, lastY] = stroke[stroke.length - 1];
  return Math.hypot(x - lastX, y - lastY) >= MIN_DISTANCE;
}

export function countPoints(strokes) {
  return strokes.reduce((sum, stroke) => sum + stroke.length, 0);
}

// --- The grid

export const START = { row: CENTER, column: CENTER };

const MOVES = {
  ArrowLeft: [0, -1],
  ArrowRight: [0, 1],
  ArrowUp: [-1, 0],
  ArrowDown: [1, 0],
};

// Return where a key takes the cursor on the grid, or null for a key that does not move it.
export function moveCursor(key, { row, column }) {
  if (!Object.hasOwn(MOVES, key)) return null;
  const [down, right] = MOVES[key];
  return { row: keepInGrid(row + down), column: keepInGrid(column + right) };
}

export function toGridPoint({ row, column }) {
  return [column, row].map((index) => (index + 1) / (GRID_SIZE + 1));
}

export function toNearestCell([x, y]) {
  const [column, row] = [x, y].map((share) => keepInGrid(Math.round(share * (GRID_SIZE + 1)) - 1));
  return { row, column };
}

function keepInGrid(index) {
  return Math.max(0, Math.min(index, GRID_SIZE - 1));
}

// --- Sentences

export function describeCell({ row, column }) {
  return `row ${row + 1}, column ${column + 1}`;
}

export function describeCount(numStrokes) {
  if (numStrokes === 0) return "Nothing is drawn.";
  return numStrokes === 1 ? "1 stroke is drawn." : `${numStrokes} strokes are drawn.`;
}

export function describeLimit(maxPoints) {
  const number = maxPoints.toLocaleString("en-US");
  return `This drawing has ${number} points, the most it can have. Undo a stroke, or clear it.`;
}

// --- What all views of one canvas share

export class Drawing {
  strokes = []; // of the page: newer than the model's during a stroke
  isPenDown = false; // whether the next point of the grid is joined to the last stroke
  words = ""; // the newest sentence
  views = new Set(); // `{draw, stop}` of each view; `stop` ends the stroke of a pointer
  #removed = null; // the strokes before Clear, to undo it
  #isSending = false; // whether `change:strokes` comes from here
  #skipped = null; // the last point, where it was too near to the one before
  #timer = null;

  constructor(model) {
    this.model = model;
    this.onStrokes = () => this.#isSending || this.#read();
    this.onCleared = () => this.#clearFromKernel();
    model.on("change:strokes", this.onStrokes);
    model.on("change:cleared", this.onCleared);
    this.#read();
    if (model.get("is_drawing")) this.#send(false); // the page was loaded again during a stroke
  }

  close() {
    this.model.off("change:strokes", this.onStrokes);
    this.model.off("change:cleared", this.onCleared);
    clearTimeout(this.#timer);
  }

  get isFull() {
    return countPoints(this.strokes) >= this.model.get("max_points");
  }

  // --- Strokes of a pointer

  begin(point) {
    this.isPenDown = false;
    if (this.#refuseIfFull()) return false;
    this.strokes.push([point]);
    this.#skipped = this.#removed = null;
    this.#send(true);
    this.#say("");
    return true;
  }

  // Return whether the stroke goes on.
  extend(points) {
    const stroke = this.strokes[this.strokes.length - 1];
    for (const point of points) {
      const isFar = addsToStroke(stroke, point);
      const isSame = String(point) === String(stroke[stroke.length - 1]);
      this.#skipped = isFar || isSame ? null : point;
      if (isFar && this.#refuseIfFull()) return false;
      if (isFar) stroke.push(point);
    }
    this.#timer ??= setTimeout(() => this.#send(true), SEND_EVERY_MS);
    this.#drawAll();
    return true;
  }

  end() {
    const stroke = this.strokes[this.strokes.length - 1];
    if (stroke && this.#skipped && !this.isFull) stroke.push(this.#skipped);
    this.#skipped = null;
    this.#send(false);
    if (!this.isFull) this.#say(describeCount(this.strokes.length));
  }

  // --- Lines between points of the grid

  joinTo(cell) {
    if (this.#refuseIfFull()) return;
    const point = toGridPoint(cell);
    this.#removed = null;
    const place = describeCell(cell);
    if (!this.isPenDown) {
      this.strokes.push([point]);
      this.isPenDown = true;
      this.#say(`Stroke ${this.strokes.length} begun at ${place}.`);
    } else {
      const stroke = this.strokes[this.strokes.length - 1];
      if (!addsToStroke(stroke, point)) return this.liftPen();
      stroke.push(point);
      this.#say(`Line drawn to ${place}.`);
    }
    this.#send(false);
  }

  liftPen() {
    if (this.isPenDown) this.#say(`Pen lifted. ${describeCount(this.strokes.length)}`);
    this.isPenDown = false;
    this.#drawAll();
  }

  sayCell(cell) {
    this.#say(`${describeCell(cell)}, pen ${this.isPenDown ? "down" : "up"}`);
  }

  // --- Buttons

  undo() {
    this.#stopViews();
    if (this.strokes.length) this.strokes.pop();
    else if (this.#removed) [this.strokes, this.#removed] = [this.#removed, null];
    else return this.#say("There is nothing to undo.");
    this.#change(`Undone. ${describeCount(this.strokes.length)}`);
  }

  clear() {
    this.#stopViews();
    if (!this.strokes.length) return this.#say("There is nothing to clear.");
    [this.#removed, this.strokes] = [this.strokes, []];
    this.#change("Cleared. Undo brings the drawing back.");
  }

  // --- Model and views

  #change(words) {
    this.isPenDown = false;
    this.#send(false);
    this.#say(words);
  }

  #refuseIfFull() {
    if (this.isFull) this.#say(describeLimit(this.model.get("max_points")));
    return this.isFull;
  }

  #read() {
    const isCleared = this.model.get("drawing_number") <= this.model.get("cleared");
    this.strokes = isCleared ? [] : copyStrokes(this.model.get("strokes"));
    this.isPenDown = false;
    this.#drawAll();
  }

  #clearFromKernel() {
    this.strokes = []; // before the views stop, so that nothing of it is sent
    this.#removed = this.#skipped = null;
    clearTimeout(this.#timer);
    this.#timer = null;
    this.#stopViews();
    this.isPenDown = false;
    this.#say(""); // who clears says why
  }

  #send(is_drawing) {
    clearTimeout(this.#timer);
    this.#timer = null;
    const { model } = this;
    const drawing_number = Math.max(model.get("drawing_number"), model.get("cleared") + 1);
    this.#isSending = true;
    model.set(
      this.strokes.length || model.get("drawing_number") > model.get("cleared")
        ? { strokes: copyStrokes(this.strokes), drawing_number, is_drawing }
        : { is_drawing }, // nothing was drawn since the kernel cleared it
    );
    this.#isSending = false;
    model.save_changes();
    this.#drawAll();
  }

  #say(words) {
    this.words = words;
    this.#drawAll();
  }

  #stopViews() {
    for (const view of this.views) view.stop();
  }

  #drawAll() {
    for (const view of this.views) view.draw();
  }
}

function copyStrokes(strokes) {
  return strokes.map((stroke) => [...stroke]);
}
