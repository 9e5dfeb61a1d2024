// The logic of the drawing canvas without a browser: `node --test tests/js`.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

// by its text, for the package has no package.json that would call it a module
const path = new URL("../../mnist_widgets/widgets/static/drawing_canvas_logic.js", import.meta.url);
const source = encodeURIComponent(readFileSync(path, "utf-8"));
const logic = await import(`data:text/javascript,${source}`);

// The part of a widget's model that a drawing uses. `saved` holds what the kernel has received.
class Model {
  listeners = new Map();
  sent = []; // messages

  constructor(values = {}) {
    const first = { strokes: [], drawing_number: 0, last_added: 0 };
    this.values = { ...first, max_points: 10_000, ...values };
    this.saved = { ...this.values };
    this.numSaves = 0;
  }

  get(name) {
    return this.values[name];
  }

  set(values) {
    Object.assign(this.values, values);
    for (const name of Object.keys(values)) this.listeners.get(`change:${name}`)?.();
  }

  save_changes() {
    this.saved = structuredClone(this.values);
    this.numSaves += 1;
  }

  on(event, listener) {
    this.listeners.set(event, listener);
  }

  off(event) {
    this.listeners.delete(event);
  }

  send(message) {
    this.sent.push(structuredClone(message));
  }

  // as `DrawingCanvas` does when an addition has arrived
  answer(number) {
    this.set({ last_added: number });
  }
}

function drawStroke(drawing, points) {
  assert.ok(drawing.begin(points[0]));
  drawing.extend(points.slice(1));
  drawing.end();
}

const LINE = [[0.1, 0.1], [0.5, 0.5], [0.9, 0.1]];

test("points are shares of the canvas wherever it is and however large", () => {
  const rect = { left: 100, top: 50, width: 280, height: 280 };
  assert.deepEqual(logic.toPoint(100, 50, rect), [0, 0]);
  assert.deepEqual(logic.toPoint(240, 120, rect), [0.5, 0.25]);
  assert.deepEqual(logic.toPoint(240, 120, { left: 170, top: 85, width: 140, height: 140 }), [0.5, 0.25]);
  assert.deepEqual(logic.toPoint(0, 999, rect), [0, 1]);
});

test("the cursor moves by one point and stays on the grid", () => {
  const { row, column } = logic.START;
  assert.deepEqual(logic.moveCursor("ArrowUp", { row, column }), { row: row - 1, column });
  assert.deepEqual(logic.moveCursor("ArrowRight", { row, column }), { row, column: column + 1 });
  assert.deepEqual(logic.moveCursor("ArrowLeft", { row: 0, column: 0 }), { row: 0, column: 0 });
  const last = { row: logic.GRID_SIZE - 1, column: logic.GRID_SIZE - 1 };
  assert.deepEqual(logic.moveCursor("ArrowDown", last), last);
  assert.equal(logic.moveCursor("a", { row, column }), null);
  assert.equal(logic.moveCursor("toString", { row, column }), null);
});

test("a click takes the nearest point of the grid", () => {
  for (let row = 0; row < logic.GRID_SIZE; row += 1) {
    const [x, y] = logic.toGridPoint({ row, column: 3 });
    assert.deepEqual(logic.toNearestCell([x + 0.03, y - 0.03]), { row, column: 3 });
  }
  assert.deepEqual(logic.toNearestCell([0, 1]), { row: logic.GRID_SIZE - 1, column: 0 });
});

test("a stroke is sent at its begin and at its end, not at each point", () => {
  const model = new Model();
  const drawing = new logic.Drawing(model);
  drawing.begin([0, 0]);
  for (let step = 1; step <= 100; step += 1) drawing.extend([[step / 100, 0]]);
  assert.equal(model.numSaves, 1);
  drawing.end();
  assert.equal(model.numSaves, 2);
  assert.equal(model.saved.strokes[0].length, 101);
});

test("points that are too near are left out, but not the last one", () => {
  const model = new Model();
  const drawing = new logic.Drawing(model);
  const points = Array.from({ length: 1001 }, (_, step) => [step / 10_000, 0]);
  drawStroke(drawing, points);
  const [stroke] = model.saved.strokes;
  assert.ok(stroke.length < 30);
  assert.deepEqual(stroke[stroke.length - 1], [0.1, 0]);
  drawStroke(drawing, [[0.5, 0.5], [0.5, 0.5]]);
  assert.deepEqual(model.saved.strokes[1], [[0.5, 0.5]]);
});

test("undo takes back the last stroke, and Clear", () => {
  const model = new Model();
  const drawing = new logic.Drawing(model);
  drawStroke(drawing, LINE);
  drawStroke(drawing, LINE.slice(1));
  drawing.undo();
  assert.deepEqual(model.saved.strokes, [LINE]);
  drawing.clear();
  assert.deepEqual(model.saved.strokes, []);
  drawing.undo();
  assert.deepEqual(model.saved.strokes, [LINE]);
  drawing.undo();
  drawing.undo();
  assert.deepEqual(model.saved.strokes, []);
});

test("undo in the middle of a stroke ends it for all views", () => {
  const model = new Model();
  const drawing = new logic.Drawing(model);
  let isDrawing = true;
  const stop = () => {
    if (isDrawing) drawing.end();
    isDrawing = false;
  };
  drawing.views.add({ draw: () => {}, stop });
  drawing.begin([0, 0]);
  drawing.extend(LINE);
  drawing.undo();
  assert.ok(!isDrawing);
  assert.deepEqual(model.saved.strokes, []);
});

test("an addition is one message with all points, and the next drawing begins at once", () => {
  const model = new Model();
  const drawing = new logic.Drawing(model);
  drawStroke(drawing, LINE);
  drawing.add(7);
  assert.deepEqual(model.sent, [{ drawing_number: 1, strokes: [LINE], label: 7 }]);
  assert.deepEqual(drawing.strokes, []);
  drawStroke(drawing, LINE.slice(1)); // before the kernel has answered
  assert.equal(model.saved.drawing_number, 2);
  model.answer(1);
  assert.deepEqual(drawing.strokes, [LINE.slice(1)]);
  drawing.add(4);
  model.answer(2);
  assert.deepEqual(model.sent[1], { drawing_number: 2, strokes: [LINE.slice(1)], label: 4 });
  assert.deepEqual(model.saved.strokes, []);
  drawing.undo();
  assert.deepEqual(drawing.strokes, []); // an added drawing does not come back
});

test("a stroke goes on while the kernel answers the addition before it", () => {
  const model = new Model();
  const drawing = new logic.Drawing(model);
  drawStroke(drawing, LINE);
  drawing.add(7);
  let isDrawing = drawing.begin([0, 0]);
  drawing.views.add({ draw: () => {}, stop: () => (isDrawing = false) });
  model.answer(1);
  assert.ok(isDrawing);
  drawing.extend(LINE);
  drawing.end();
  assert.deepEqual(model.saved.strokes, [[[0, 0], ...LINE]]);
});

test("a stroke that is being drawn belongs to the addition", () => {
  const model = new Model();
  const drawing = new logic.Drawing(model);
  drawing.views.add({ draw: () => {}, stop: () => drawing.strokes.length && drawing.end() });
  drawing.begin([0, 0]);
  drawing.extend([[0, 0.003]]); // too near to be kept, were it not the last point
  drawing.add(1);
  assert.deepEqual(model.sent[0].strokes, [[[0, 0], [0, 0.003]]]);
});

test("a late change of an added drawing by another page leaves the next one", () => {
  const model = new Model();
  const drawing = new logic.Drawing(model);
  drawStroke(drawing, LINE);
  drawing.add(7);
  model.answer(1);
  drawStroke(drawing, LINE.slice(1));
  model.set({ drawing_number: 1, strokes: [LINE] });
  assert.deepEqual(drawing.strokes, [LINE.slice(1)]);
  drawing.undo();
  assert.equal(model.saved.drawing_number, 2);
});

test("a change by another page ends the stroke that is being drawn", () => {
  const model = new Model();
  const drawing = new logic.Drawing(model);
  let isDrawing = drawing.begin([0, 0]);
  const stop = () => isDrawing && ((isDrawing = false), drawing.end());
  drawing.views.add({ draw: () => {}, stop });
  model.set({ drawing_number: 1, strokes: [LINE] });
  assert.ok(!isDrawing);
  assert.deepEqual(model.saved.strokes, [LINE]);
});

test("without a drawing or a label nothing is added and nothing lost", () => {
  const model = new Model();
  const drawing = new logic.Drawing(model);
  drawing.add(7);
  assert.ok(drawing.isError);
  assert.match(drawing.words, /Nothing is drawn/);
  drawStroke(drawing, LINE);
  assert.ok(!drawing.isError);
  drawing.add(-1);
  const [first] = [drawing.words, drawing.add(-1)];
  assert.match(drawing.words, /Choose the label/);
  assert.notEqual(drawing.words, first); // else a screen reader would not read it again
  assert.deepEqual(model.sent, []);
  assert.deepEqual(model.saved.strokes, [LINE]);
  drawing.onLabel();
  assert.ok(!drawing.isError);
});

test("a drawing that another page adds is gone, and the next one has a new number", () => {
  const model = new Model();
  const drawing = new logic.Drawing(model);
  drawStroke(drawing, LINE);
  model.answer(1);
  assert.deepEqual(drawing.strokes, []);
  drawing.undo();
  assert.deepEqual(drawing.strokes, []);
  drawStroke(drawing, LINE);
  assert.equal(model.saved.drawing_number, 2);
  assert.deepEqual(model.saved.strokes, [LINE]);
});

test("a page that is loaded again shows the drawing unless it is added", () => {
  const values = { strokes: [LINE], drawing_number: 3, last_added: 2 };
  const model = new Model(values);
  assert.deepEqual(new logic.Drawing(model).strokes, [LINE]);
  const added = new Model({ ...values, last_added: 3 });
  const drawing = new logic.Drawing(added);
  assert.deepEqual(drawing.strokes, []);
  drawStroke(drawing, LINE);
  drawing.add(1);
  assert.ok(added.sent.every((message) => message.drawing_number >= 4));
});

test("a full drawing takes no more points and says so", () => {
  const model = new Model({ max_points: 5 });
  const drawing = new logic.Drawing(model);
  drawStroke(drawing, LINE);
  drawing.begin([0, 0]);
  assert.equal(drawing.extend(LINE), false);
  drawing.end();
  assert.equal(logic.countPoints(model.saved.strokes), 5);
  assert.match(drawing.words, /5 points/);
  assert.equal(drawing.begin([0, 0]), false);
  drawing.undo();
  assert.ok(drawing.begin([0, 0]));
});

test("points of the grid are joined until the pen is lifted", () => {
  const model = new Model();
  const drawing = new logic.Drawing(model);
  drawing.joinTo({ row: 0, column: 0 });
  drawing.joinTo({ row: 8, column: 0 });
  assert.equal(model.saved.strokes.length, 1);
  drawing.liftPen();
  drawing.joinTo({ row: 8, column: 8 });
  assert.match(drawing.words, /Stroke 2 begun at row 9, column 9/);
  drawing.joinTo({ row: 8, column: 8 }); // the last point again
  assert.ok(!drawing.isPenDown);
  drawing.joinTo({ row: 0, column: 8 });
  assert.deepEqual(model.saved.strokes.map((stroke) => stroke.length), [2, 1, 1]);
});
