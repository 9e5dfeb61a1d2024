// The logic of the image grid without a browser: `node --test tests/js`.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

// by its text, for the package has no package.json that would call it a module
const path = new URL("../../mnist_widgets/widgets/static/image_grid_logic.js", import.meta.url);
const source = encodeURIComponent(readFileSync(path, "utf-8"));
const grid = await import(`data:text/javascript,${source}`);

const PLACE = { cursor: 23, page: 0, pageSize: 50, numColumns: 10, numImages: 120 };

function move(key, place) {
  return grid.moveCursor(key, { ...PLACE, ...place });
}

test("arrows move by an image or a row, page keys by a page", () => {
  const moves = ["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", "PageDown"];
  assert.deepEqual(moves.map((key) => move(key)), [22, 24, 13, 33, 73]);
  assert.equal(move("PageUp", { cursor: 73 }), 23);
  assert.equal(move("ArrowDown", { numColumns: 4 }), 27);
});

test("Home and End stay on the page", () => {
  assert.deepEqual([move("Home", { page: 1, cursor: 73 }), move("End", { page: 1 })], [50, 99]);
  assert.equal(move("End", { page: 2, cursor: 110 }), 119);
});

test("the cursor stays at the ends of all pages", () => {
  assert.equal(move("ArrowUp", { cursor: 3 }), 0);
  assert.equal(move("PageDown", { cursor: 110 }), 119);
  assert.equal(move("ArrowRight", { cursor: 0, numImages: 0 }), 0);
});

test("other keys are not the grid's", () => {
  for (const key of ["a", "Tab", "toString"]) assert.equal(move(key), null);
});

function settle(place) {
  const given = { cursor: 23, awaitedPage: null, page: 0, pageSize: 50, numImages: 120 };
  return grid.settleCursor({ ...given, ...place });
}

test("the cursor waits for the page that the keyboard went to, and arrives with it", () => {
  const onItsWay = { cursor: 73, awaitedPage: 1 };
  assert.deepEqual(settle({ ...onItsWay, page: 0 }), { ...onItsWay, hasArrived: false });
  assert.deepEqual(settle({ ...onItsWay, page: 1 }), {
    cursor: 73,
    awaitedPage: null,
    hasArrived: true,
  });
});

test("on a page that others turned to, the cursor keeps its place", () => {
  assert.deepEqual(settle({ page: 1 }), { cursor: 73, awaitedPage: null, hasArrived: false });
  assert.equal(settle({ page: 2, cursor: 49 }).cursor, 119);
});

test("a page that is gone is awaited no longer", () => {
  const { cursor, awaitedPage } = settle({ cursor: 110, awaitedPage: 2, page: 0, numImages: 40 });
  assert.deepEqual([cursor, awaitedPage], [39, null]);
});

// The answers to images 4, 9 and, on another page, 7, in bytes that begin anywhere.
function answersOf(...rows) {
  const view = new DataView(new ArrayBuffer(1 + 4 * rows.flat().length), 1);
  rows.flat().forEach((share, position) => view.setFloat32(4 * position, share, true));
  return view;
}

const HINT = "Click an image to see what the network says of it.";
const STATE = {
  image_ids: [4, 9, 7],
  num_visible: 2,
  summary: "Page 1 of 1: 1 right.",
  names: ["Image 4: true a<b", "Image 9: true cat", "Image 7: true cat"],
  labels: [0, 1, 1],
  sentences: ["True a<b. The network says a<b.", "", "True cat."],
  probabilities: answersOf([0.75, 0.25], [0, 0], [NaN, NaN]),
  class_names: ["a<b", "cat"],
};

test("the caption names the selected image, or says what to do if none of the page is", () => {
  const caption = (selected) => grid.deriveShown({ ...STATE, selected })?.caption;
  assert.equal(caption(4), "Page 1 of 1: 1 right. Image 4: true a<b.");
  assert.equal(caption(7), `${STATE.summary} ${HINT}`);
  assert.equal(caption(-1), `${STATE.summary} ${HINT}`);
  const empty = { ...STATE, num_visible: 0, summary: "Not a single mistake.", selected: 7 };
  assert.equal(grid.deriveShown(empty).caption, empty.summary);
  assert.equal(caption(5), undefined);
});

test("caption, bars, sentence, values and class are those of the selected image", () => {
  assert.deepEqual(grid.deriveShown({ ...STATE, selected: 4 }), {
    caption: "Page 1 of 1: 1 right. Image 4: true a<b.",
    bars: [0.75, 0.25],
    sentence: "True a<b. The network says a<b.",
    values: '<pre class="mw-values">a&lt;b  75.00 %\ncat  25.00 %</pre>',
    true_class: ["a<b"],
  });
});

test("nothing new is shown while the kernel's message is on its way", () => {
  assert.equal(grid.deriveShown({ ...STATE, selected: 5 }), null);
});

test("an image without an answer, and no image, have no bars", () => {
  const noAnswer = grid.deriveShown({ ...STATE, selected: 9 });
  assert.deepEqual([noAnswer.bars, noAnswer.sentence], [[0, 0], "No prediction yet."]);
  assert.equal(noAnswer.true_class.length, 1);
  const noImage = grid.deriveShown({ ...STATE, selected: -1 });
  assert.deepEqual([noImage.bars, noImage.true_class], [[0, 0], []]);
});

test("answers that are no numbers have no bars", () => {
  const { bars, values } = grid.deriveShown({ ...STATE, selected: 7 });
  assert.deepEqual(bars, [0, 0]);
  assert.match(values, /cat    nan %/);
});

test("bars are rounded to what can be seen, values are not", () => {
  const probabilities = answersOf([0.123046875, 0.876953125]); // exact in float32
  const answer = grid.deriveShown({ ...STATE, probabilities, selected: 4 });
  assert.deepEqual(answer.bars, [0.123, 0.877]);
  assert.match(answer.values, /a&lt;b {2}12\.30 %\ncat {2}87\.70 %/);
});
