// The logic of the drawing canvas, apart from the page: the strokes, the grid for keys and clicks, and
// sentences. `drawing_canvas.py` puts this file before `drawing_canvas.js`. The page writes the
// strokes; the kernel says which drawings are added to the set.
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
  isError = false; // whether it says what is wrong
  views = new Set(); // `{draw, stop}` of each view; `stop` ends the stroke of a pointer
  #removed = null; // the strokes before Clear, to undo it
  #isSending = false; // whether `change:strokes` comes from here
  #skipped = null; // the last point, where it was too near to the one before
  #timer = null;

  constructor(model) {
    this.model = model;
    this.onStrokes = () => this.#isSending || this.#isAdded || this.#read();
    this.onAdded = () => this.#isAdded && this.#forget();
    model.on("change:strokes", this.onStrokes);
    model.on("change:last_added", this.onAdded);
    this.#read();
  }

  close() {
    this.model.off("change:strokes", this.onStrokes);
    this.model.off("change:last_added", this.onAdded);
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
    this.#send();
    this.#say("");
    return true;
  }

  // Return whether the stroke continues.
  extend(points) {
    const stroke = this.strokes[this.strokes.length - 1];
    for (const point of points) {
      const isFar = addsToStroke(stroke, point);
      const isSame = String(point) === String(stroke[stroke.length - 1]);
      this.#skipped = isFar || isSame ? null : point;
      if (isFar && this.#refuseIfFull()) return false;
      if (isFar) stroke.push(point);
    }
    this.#timer ??= setTimeout(() => this.#send(), SEND_EVERY_MS);
    this.#drawAll();
    return true;
  }

  end() {
    const stroke = this.strokes[this.strokes.length - 1];
    if (stroke && this.#skipped && !this.isFull) stroke.push(this.#skipped);
    this.#skipped = null;
    this.#send();
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
    this.#send();
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

  // --- The set

  // Add the drawing to the set. ipywidgets holds back changes of the model until the kernel has
  // answered the one before, but sends a message at once. So the message has all that belongs to
  // the addition, and the next drawing begins here without waiting for the kernel.
  add(label) {
    this.#stopViews();
    if (!this.strokes.length) {
      return this.#say("Nothing is drawn. Draw a digit, then press Add to my set.", true);
    }
    if (label < 0) {
      return this.#say("Choose the label of this drawing, then press Add to my set.", true);
    }
    const { model, strokes } = this;
    const drawing_number = this.#number;
    model.send({ drawing_number, strokes, label });
    model.set({ drawing_number: drawing_number + 1 });
    this.#forget();
    this.#send();
  }

  // A label is chosen: what was wrong may be right now.
  onLabel() {
    if (this.isError) this.#say("");
  }

  // --- Model and views

  // Whether the model's drawing is in the set, and another one begins here.
  get #isAdded() {
    return this.model.get("drawing_number") <= this.model.get("last_added");
  }

  get #number() {
    return Math.max(this.model.get("drawing_number"), this.model.get("last_added") + 1);
  }

  #change(words) {
    this.isPenDown = false;
    this.#send();
    this.#say(words);
  }

  #refuseIfFull() {
    if (this.isFull) this.#say(describeLimit(this.model.get("max_points")));
    return this.isFull;
  }

  #read() {
    this.strokes = this.#isAdded ? [] : copyStrokes(this.model.get("strokes"));
    this.#skipped = null;
    this.#stopViews(); // a stroke of this page must not continue in the drawing of another one
    this.isPenDown = false;
    this.#drawAll();
  }

  // Begin with an empty canvas.
  #forget() {
    this.strokes = []; // before the views stop, so that nothing of it is sent
    this.#removed = this.#skipped = null;
    clearTimeout(this.#timer);
    this.#timer = null;
    this.#stopViews();
    this.isPenDown = false;
    this.#say(""); // the set says how many drawings it has
  }

  #send() {
    clearTimeout(this.#timer);
    this.#timer = null;
    this.#drawAll();
    if (!this.strokes.length && this.#isAdded) return; // nothing was drawn since the last addition
    const { model } = this;
    this.#isSending = true;
    model.set({ strokes: copyStrokes(this.strokes), drawing_number: this.#number });
    this.#isSending = false;
    model.save_changes();
  }

  // A screen reader reads a text again only if it changes, so this adds a space, as WordPress does.
  #say(words, isError = false) {
    this.words = words && words === this.words ? `${words}\u00a0` : words;
    this.isError = isError;
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
