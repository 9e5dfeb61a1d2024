// The logic of the image grid, apart from model and page: where keys take the cursor, and what is
// shown of the selected image. `image_grid.py` puts this file before `image_grid.js`.

// Where a key takes the cursor, counted over all pages.
const MOVES = {
  ArrowLeft: ({ cursor }) => cursor - 1,
  ArrowRight: ({ cursor }) => cursor + 1,
  ArrowUp: ({ cursor, numColumns }) => cursor - numColumns,
  ArrowDown: ({ cursor, numColumns }) => cursor + numColumns,
  PageUp: ({ cursor, pageSize }) => cursor - pageSize,
  PageDown: ({ cursor, pageSize }) => cursor + pageSize,
  Home: ({ page, pageSize }) => page * pageSize,
  End: ({ page, pageSize }) => (page + 1) * pageSize - 1,
};

// Return the cursor's new position, or null for a key that does not move it.
export function moveCursor(key, place) {
  return Object.hasOwn(MOVES, key) ? clamp(MOVES[key](place), place.numImages) : null;
}

// Return the cursor for the page that is drawn. While the page that the keyboard went to
// (`awaitedPage`) is on its way, the cursor waits there; else it keeps its place within the page.
export function settleCursor({ cursor, awaitedPage, page, pageSize, numImages }) {
  const pageOf = (position) => Math.floor(position / pageSize);
  let settled = clamp(cursor, numImages);
  const hasArrived = awaitedPage === page && pageOf(settled) === page;
  const isAwaited = !hasArrived && awaitedPage !== null && pageOf(settled) === awaitedPage;
  if (!isAwaited && pageOf(settled) !== page) {
    settled = clamp(page * pageSize + (settled % pageSize), numImages);
  }
  return { cursor: settled, awaitedPage: isAwaited ? awaitedPage : null, hasArrived };
}

// Return what is shown of the page, of the selected image and of the answer to it, or null while the
// kernel's message about that image is on its way.
export function deriveShown(state) {
  const { selected, image_ids, num_visible, summary, names, labels, sentences, class_names } = state;
  const nothing = { bars: class_names.map(() => 0), values: "" };
  if (selected < 0) {
    const words = "No image is selected.";
    const caption = addHint(summary, num_visible);
    return { ...nothing, caption, sentence: words, true_class: [] };
  }
  const position = image_ids.indexOf(selected);
  if (position < 0) return null;
  const isOnPage = position < num_visible;
  const caption = isOnPage ? `${summary} ${names[position]}.` : addHint(summary, num_visible);
  const shown = { caption, true_class: [class_names[labels[position]]] };
  if (!sentences[position]) return { ...nothing, ...shown, sentence: "No prediction yet." };
  // not by a Float32Array: the bytes in a message may begin anywhere
  const begin = 4 * class_names.length * position;
  const shares = class_names.map((_, label) => state.probabilities.getFloat32(begin + 4 * label, true));
  return {
    ...shown,
    bars: shares.map(roundForTheEye),
    sentence: sentences[position],
    values: formatValues(class_names, shares),
  };
}

// What to do where no image of the page is selected.
function addHint(summary, num_visible) {
  return num_visible ? `${summary} Click an image to see what the network says of it.` : summary;
}

// What is finer than a thousandth of the chart's height need not be drawn. NaN has no bar.
function roundForTheEye(share) {
  return Number.isNaN(share) ? 0 : Math.round(1000 * share) / 1000;
}

function formatValues(names, shares) {
  const width = Math.max(...names.map((name) => name.length));
  const rows = names.map((name, label) => {
    const percent = Number.isNaN(shares[label]) ? "nan" : (100 * shares[label]).toFixed(2);
    return `${escapeHtml(name.padStart(width))} ${percent.padStart(6)} %`;
  });
  return `<pre class="mw-values">${rows.join("\n")}</pre>`;
}

function escapeHtml(text) {
  const entities = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#x27;" };
  return text.replace(/[&<>"']/g, (character) => entities[character]);
}

function clamp(position, numImages) {
  return Math.max(0, Math.min(position, numImages - 1));
}
