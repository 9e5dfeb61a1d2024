// The arithmetic of the loss explorer, and how its numbers are written and read.
// `loss_explorer.py` puts this file before `loss_explorer.js`.

// Return the probabilities, the loss, and the gradient of the loss with respect to the scores.
// z are the scores, T the temperature, y is 1 for the true class and 0 for the others:
//   p = softmax(z / T)
//   once:   loss = -ln p[true],                      gradient = (p - y) / T
//   twice:  q = softmax(p),  loss = -ln q[true],     gradient = p * (g - sum(p * g)) / T, g = q - y
export function explainLoss({ scores, trueClass, temperature, isTwice }) {
  const scaled = scores.map((score) => score / temperature);
  const probabilities = softmax(scaled);
  const again = softmax(probabilities);
  const minusTruth = (shares) => shares.map((share, label) => share - Number(label === trueClass));
  const onceGradient = minusTruth(probabilities).map((difference) => difference / temperature);
  const errors = minusTruth(again);
  const mean = sum(errors.map((error, label) => probabilities[label] * error));
  const twiceGradient = errors.map(
    (error, label) => (probabilities[label] * (error - mean)) / temperature,
  );
  return {
    probabilities,
    again,
    loss: crossEntropy(isTwice ? probabilities : scaled, trueClass),
    gradient: isTwice ? twiceGradient : onceGradient,
    largestGradient: largest(isTwice ? twiceGradient : onceGradient),
    largestOnceGradient: largest(onceGradient),
    // twice: if p is 1 for the true class, and 0 for the others
    smallestLoss: isTwice ? Math.log(1 + (scores.length - 1) / Math.E) : 0,
    equalLoss: Math.log(scores.length),
  };
}

// Without the largest value, exp(1000) would be infinite.
export function softmax(values) {
  const top = Math.max(...values);
  const powers = values.map((value) => Math.exp(value - top));
  const total = sum(powers);
  return powers.map((power) => power / total);
}

function crossEntropy(values, trueClass) {
  const top = Math.max(...values);
  return Math.log(sum(values.map((value) => Math.exp(value - top)))) + top - values[trueClass];
}

function sum(values) {
  return values.reduce((total, value) => total + value, 0);
}

function largest(values) {
  return Math.max(...values.map(Math.abs));
}

// --- Numbers as text

// Return three significant digits, such as "2.30" or "0.0981"; of a small number two: "1.2e-7".
// A number from 1000 to 1e6 is written whole.
export function writeNumber(number) {
  if (number === 0) return "0";
  const size = Math.abs(number);
  let digits = size < 0.001 ? size.toExponential(1) : size.toPrecision(3);
  if (size >= 999.5) digits = size < 1e6 ? size.toFixed(0) : size.toExponential(2);
  return number < 0 ? `−${digits}` : digits;
}

export function writeSigned(number) {
  return number > 0 ? `+${writeNumber(number)}` : writeNumber(number);
}

export function writePercent(share) {
  if (share > 0 && share < 0.0001) return "< 0.01 %";
  if (share < 1 && share > 0.9999) return "> 99.99 %";
  return `${(100 * share).toFixed(2)} %`;
}

// Return the number whose negative logarithm is `loss`, with enough digits that its logarithm gives
// the loss as `writeNumber` writes it. It may be smaller than the smallest number of a computer.
// It is "p" where too many digits would be needed.
export function writeArgument(loss) {
  const share = Math.exp(-loss);
  const distance = Math.min(share, -Math.expm1(-loss)); // from 0 or 1
  if (share >= 1e-4 && distance <= 1e-12) return loss === 0 ? "1" : "p";
  const power = -loss / Math.LN10;
  let digits = share < 1e-4 ? 1 : 2 - Math.floor(Math.log10(distance));
  for (const most = digits + 5; ; digits += 1) {
    const [mantissa, exponent] = share < 1e-4 ? toPower(power, digits) : [share.toFixed(digits), 0];
    const again = -Math.log(Number(mantissa)) - exponent * Math.LN10;
    if (digits === most || writeNumber(again) === writeNumber(loss)) {
      return exponent ? `${mantissa}e${exponent}` : mantissa;
    }
  }
}

// Return the mantissa, as text, and the exponent of a power of ten.
function toPower(power, digits) {
  const exponent = Math.floor(power);
  const mantissa = (10 ** (power - exponent)).toFixed(digits);
  return Number(mantissa) < 10 ? [mantissa, exponent] : [(1).toFixed(digits), exponent + 1];
}

// Return a number of a field, with at most three decimals.
export function writeField(number) {
  return String(Number(number.toFixed(3)));
}

// Return the number that a text writes, with a decimal point or a decimal comma, within the limits;
// null if it is not a number. `NumberField` reads in the same way.
export function readField(text, least, greatest) {
  const written = text.trim().replace(",", ".").replace("−", "-");
  if (!/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(written)) return null;
  return Math.min(Math.max(Number(written), least), greatest);
}

// --- The temperature's slider: its positions are powers of ten, T = 1 in the middle.

export function toTemperature(position) {
  return Number((10 ** position).toPrecision(2)); // 1, 1.3, 1.6, 2, 2.5, ...
}

export function toPosition(temperature) {
  return Math.log10(temperature);
}
