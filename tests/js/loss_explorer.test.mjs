// The arithmetic of the loss explorer without a browser: `node --test tests/js`.
// `tests/widgets/panels/test_loss_explorer.py` compares it with torch.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

// by its text, for the package has no package.json that would call it a module
const path = new URL("../../mnist_widgets/widgets/static/loss_explorer_logic.js", import.meta.url);
const source = encodeURIComponent(readFileSync(path, "utf-8"));
const loss = await import(`data:text/javascript,${source}`);

const ZEROS = Array(10).fill(0);

function explain(state) {
  const given = { scores: ZEROS, trueClass: 3, temperature: 1, isTwice: false };
  return loss.explainLoss({ ...given, ...state });
}

function assertClose(found, expected) {
  [found].flat().forEach((number, at) => {
    const wanted = [expected].flat()[at];
    assert.ok(Math.abs(number - wanted) < 1e-12, `${number} at ${at} is not ${wanted}`);
  });
}

// The slope of the loss, measured: what happens if one score is a little larger.
function measureGradient(state) {
  const step = 1e-5;
  const lossAt = (label, change) => {
    const scores = state.scores.map((score, at) => (at === label ? score + change : score));
    return explain({ ...state, scores }).loss;
  };
  return state.scores.map((_, label) => (lossAt(label, step) - lossAt(label, -step)) / (2 * step));
}

test("equal scores give each class the same probability, and the loss ln 10", () => {
  for (const isTwice of [false, true]) {
    const result = explain({ isTwice });
    assertClose(result.probabilities, Array(10).fill(0.1));
    assertClose([result.loss, result.equalLoss], [Math.log(10), Math.log(10)]);
  }
});

test("softmax, cross-entropy and p - y of two scores are those computed by hand", () => {
  const result = explain({ scores: [0, Math.log(3)], trueClass: 0 });
  assertClose(result.probabilities, [0.25, 0.75]);
  assertClose(result.loss, Math.log(4));
  assertClose(result.gradient, [-0.75, 0.75]);
});

test("the temperature divides scores and gradient", () => {
  const result = explain({ scores: [0, Math.log(9)], trueClass: 0, temperature: 2 });
  assertClose(result.probabilities, [0.25, 0.75]);
  assertClose(result.gradient, [-0.375, 0.375]);
});

test("large scores do not overflow", () => {
  const scores = [1000, -1000, 0];
  const right = explain({ scores, trueClass: 0 });
  assert.deepEqual([right.probabilities, right.loss], [[1, 0, 0], 0]);
  const wrong = explain({ scores, trueClass: 1 });
  assert.equal(wrong.loss, 2000);
  assert.deepEqual(wrong.gradient, [1, -1, 0]);
});

test("with softmax twice, even a perfect network has the loss 1.46", () => {
  const scores = ZEROS.map((_, label) => (label === 3 ? 100 : -100));
  const result = explain({ scores, isTwice: true });
  assertClose(result.loss, result.smallestLoss);
  assert.equal(result.smallestLoss.toFixed(4), "1.4612");
  assertClose(explain({ scores }).loss, 0);
});

test("with softmax twice, a network that is sure and wrong has almost no gradient", () => {
  const scores = ZEROS.map((_, label) => (label === 5 ? 20 : 0));
  const result = explain({ scores, isTwice: true });
  assert.ok(result.largestGradient < 1e-7);
  assert.ok(result.largestOnceGradient > 0.99);
});

test("the gradient is the measured slope of the loss with respect to each score", () => {
  const scores = [0.5, -1, 1, 2.5, -2, 3, -1.5, 0, 1.5, -0.5];
  for (const isTwice of [false, true]) {
    for (const temperature of [0.5, 1, 3]) {
      const state = { scores, trueClass: 3, temperature, isTwice };
      const { gradient } = explain(state);
      measureGradient(state).forEach((slope, at) => assert.ok(Math.abs(slope - gradient[at]) < 1e-8));
    }
  }
});

test("numbers are written short, and small ones are not written as zero", () => {
  const numbers = [2.302585, 0.0981, 0, 1.23e-7, -0.72, -1e-300, 400];
  const written = ["2.30", "0.0981", "0", "1.2e-7", "−0.720", "−1.0e-300", "400"];
  assert.deepEqual(numbers.map(loss.writeNumber), written);
  assert.deepEqual([0.5, -0.5, 0].map(loss.writeSigned), ["+0.500", "−0.500", "0"]);
  const shares = [0, 1e-9, 0.28038, 1 - 1e-9, 1];
  const percents = ["0.00 %", "< 0.01 %", "28.04 %", "> 99.99 %", "100.00 %"];
  assert.deepEqual(shares.map(loss.writePercent), percents);
});

test("a loss of thousands is written whole", () => {
  const numbers = [999.4, 999.6, 2000, -12345.6, 999999, 2e6];
  const written = ["999", "1000", "2000", "−12346", "999999", "2.00e+6"];
  assert.deepEqual(numbers.map(loss.writeNumber), written);
});

test("the logarithm of the probability as written is the loss as written", () => {
  for (let value = 1e-11; value < 3000; value *= 1.003) {
    const text = loss.writeArgument(value);
    const [mantissa, exponent = "0"] = text.split("e");
    const again = -Math.log(Number(mantissa)) - Number(exponent) * Math.LN10;
    assert.equal(loss.writeNumber(again), loss.writeNumber(value), `-ln ${text}`);
    assert.ok(Number(mantissa) < 10, text);
  }
  assert.equal(loss.writeArgument(1e-14), "p");
  assert.equal(loss.writeArgument(195.72), "1.0e-85");
});

test("the probability within the logarithm gives the loss again", () => {
  for (const value of [0.00004, 0.0123, 0.5, 1.27, 2.302585, 8, 30, 2000]) {
    const [mantissa, exponent = "0"] = loss.writeArgument(value).split("e");
    const again = -Math.log(Number(mantissa)) - Number(exponent) * Math.LN10;
    assert.ok(Math.abs(again - value) <= Math.max(0.005 * value, 0.05 * (value > 8)), `${value}`);
  }
  assert.equal(loss.writeArgument(0), "1");
});

test("a field takes a decimal point or comma, keeps to its limits, and refuses the rest", () => {
  const read = (text) => loss.readField(text, -100, 100);
  const texts = ["0.5", "0,5", " 7 ", "-3", "−3", ".5", "1e1", "1e9", "-99999"];
  assert.deepEqual(texts.map(read), [0.5, 0.5, 7, -3, -3, 0.5, 10, 100, -100]);
  for (const text of ["", " ", "abc", "1.2.3", "1,000.5", "0x10", "Infinity", "nan", "1e", "-"]) {
    assert.equal(read(text), null, text);
  }
});

test("the temperature's slider has 1 in the middle and both ends in reach", () => {
  const found = [-1, -0.3, 0, 0.3, 1].map(loss.toTemperature);
  assert.deepEqual(found, [0.1, 0.5, 1, 2, 10]);
  assert.deepEqual([0.1, 1, 10].map(loss.toPosition), [-1, 0, 1]);
});
